import type { AdminEndpoint } from './endpoint.ts';

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}

/** The home page: a link or, for what changes something, a button for every path. No scripts. */
export function homePage(endpoints: readonly AdminEndpoint[]): string {
  const rows = endpoints.map(({ path, mutates, help, parameters }) => {
    const name = escapeHtml(path.slice(1) || 'home');
    const target = escapeHtml(path.slice(1) || '.');
    const fields = parameters
      .map(
        (p) => `<input name="${escapeHtml(p.name)}" placeholder="${escapeHtml(p.name)}" title="${escapeHtml(p.help)}">`,
      )
      .join(' ');
    // An empty field is left out of no form, and endpoints take an empty value for none.
    const form = `<form method="${mutates ? 'post' : 'get'}" action="${target}"><button>${name}</button> ${fields}</form>`;
    const control = mutates || parameters.length > 0 ? form : `<a href="${target}">${name}</a>`;
    return `<tr><td>${control}</td><td>${escapeHtml(help)}</td></tr>`;
  });
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>sluice admin</title>
<style>body { font-family: sans-serif } td { padding: 4px; vertical-align: top } form { margin: 0 }</style>
</head>
<body>
<table>
<thead><tr><th>Command</th><th>Description</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
</body>
</html>
`;
}
