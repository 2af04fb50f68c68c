import { AppendAction } from '#gateway/config/header-value.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { rewriteQuery } from '#gateway/route/query-rewrite.ts';
import type { Verdict } from './authz-client.ts';

/** Changes an allowed request as the service asks; true when anything was asked. */
export function changeRequest(head: RequestHead, verdict: Verdict): boolean {
  const { setHeaders, appendHeaders, addHeaders, removeHeaders, setParameters, removeParameters } = verdict;
  for (let i = 0; i < setHeaders.length; i += 2) setField(head, setHeaders[i]!, setHeaders[i + 1]!);
  for (let i = 0; i < addHeaders.length; i += 2) head.headers.add(addHeaders[i]!, addHeaders[i + 1]!);
  for (let i = 0; i < appendHeaders.length; i += 2) {
    const known = head.headers.get(appendHeaders[i]!);
    if (known !== null) head.headers.set(appendHeaders[i]!, `${known},${appendHeaders[i + 1]!}`);
  }
  for (const name of removeHeaders) head.headers.remove(name);
  if (setParameters.length + removeParameters.length > 0)
    head.path = rewriteQuery(head.path, setParameters, removeParameters);
  return (
    setHeaders.length + addHeaders.length + appendHeaders.length + removeHeaders.length > 0 ||
    setParameters.length + removeParameters.length > 0
  );
}

function setField(head: RequestHead, name: string, value: string): void {
  if (name === ':path') head.path = value;
  else if (name === ':method') head.method = value;
  else if (name === ':authority' || name === 'host') head.authority = value;
  else if (!name.startsWith(':')) head.headers.set(name, value);
}

/** Puts the service's headers on the response of an allowed request. */
export function changeResponse({ headers }: ResponseHead, { responseHeaders }: Verdict): void {
  for (const { name, value, action } of responseHeaders) {
    const known = headers.has(name);
    if (action === AppendAction.AppendOrAdd || (action === AppendAction.AddIfAbsent && !known))
      headers.add(name, value);
    else if (action === AppendAction.OverwriteOrAdd || (action === AppendAction.Overwrite && known))
      headers.set(name, value);
  }
}
