import { type Document, type ErrorCode, Scalar, visit, type YAMLParseError } from 'yaml';
import { SourceSyntaxError } from './source-node.ts';

/** Plainer words for what the library says, where they help. */
const WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  BLOCK_AS_IMPLICIT_KEY: 'a second "name: value" on one line; put the value in quotes if it has ": " in it',
  TAB_AS_INDENT: 'a tab in the indentation, which must be spaces',
};

/** The library's complaint about a text, said where a reader would look for the slip. */
export function yamlProblem(text: string, document: Document.Parsed, error: YAMLParseError): SourceSyntaxError {
  const multiline = document.errors.find((one) => one.code === 'MULTILINE_IMPLICIT_KEY');
  if (error.code === 'BLOCK_AS_IMPLICIT_KEY' && multiline !== undefined) {
    const lineStart = text.lastIndexOf('\n', multiline.pos[1] - 1) + 1;
    const indent = /^[ ]*/.exec(text.slice(lineStart))![0].length;
    return new SourceSyntaxError(lineStart + indent, 'the indentation does not fit the lines above');
  }
  if (error.code === 'MISSING_CHAR' && error.message.includes('quote')) {
    return new SourceSyntaxError(openingQuote(document, error.pos[0]), 'a quote that is not closed');
  }
  return new SourceSyntaxError(error.pos[0], WORDS[error.code] ?? error.message);
}

/** Offset of the last quoted value that starts before `at`. */
function openingQuote(document: Document.Parsed, at: number): number {
  let found = at;
  visit(document, {
    Scalar(_key, node) {
      const quoted = node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE;
      if (quoted && node.range != null && node.range[0] < at) found = node.range[0];
    },
  });
  return found;
}
