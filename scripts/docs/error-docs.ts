/**
 * `docs/errors.md`: one section per code. The meaning is written by hand in the document and kept; the
 * rest comes from the table in `src/core/base/error-kinds.ts`.
 */
import { ERROR_KINDS, errorKind, isErrorCode } from '../../src/core/base/errors.ts';
import type { ErrorCode } from '../../src/core/base/errors.ts';

/** Stands where nobody has written the meaning of a code yet; a test refuses it. */
export const MEANING_MISSING = 'The meaning of this code is still to be written here.';

const HEAD = `# Errors

Every refusal or failure for a reason that somebody can act on carries one of these codes. Programs
branch on the code (in gRPC it is in the trailer \`mx8-error-code\`, with \`--json\` in the field \`code\`),
never on the text. Codes are never renamed or used again. "Try again" says whether the same call may
succeed later without anybody changing anything.

The exit codes of the command line are in [cli.md](cli.md).
`;

const SECTION = /^### `([a-z0-9_]+)`\n\n([\s\S]*?)\n\n- Status: /gm;

/** The meanings that the document has, by code. */
export function documentedMeanings(document: string): ReadonlyMap<string, string> {
  const meanings = new Map<string, string>();
  for (const [, code = '', meaning = ''] of document.matchAll(SECTION)) meanings.set(code, meaning);
  return meanings;
}

/** The document as it should be, with the meanings of `current` kept. */
export function errorDocs(current: string): string {
  const meanings = documentedMeanings(current);
  const codes = Object.keys(ERROR_KINDS).filter(isErrorCode);
  return `${HEAD}\n${codes.map((code) => section(code, meanings.get(code))).join('\n')}`;
}

function section(code: ErrorCode, meaning: string | undefined): string {
  const { status, retryable, remedy } = errorKind(code);
  return `### \`${code}\`

${meaning ?? MEANING_MISSING}

- Status: ${status}
- Try again: ${retryable ? 'yes' : 'no'}
- What to do: ${remedy}
`;
}
