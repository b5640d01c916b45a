/** Keeps secrets out of log lines: by the name of a field, and by the shape of a value. */
import type { EventFields, EventFieldValue } from '../ports/event-sink.ts';

const HIDDEN = '[redacted]';

/** A lease id or a finalize token names a grant and opens nothing; these open something. */
const SECRET_NAME =
  /(^|_)(password|passwd|secret|authorization|cookie|credentials?|private_key|api_key|access_key|access_key_id|secret_access_key|session_token|auth_token|bearer_token|access_token|refresh_token)$/i;

const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  // https://user:password@host
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]+:[^\s/@]*@/gi, `$1${HIDDEN}@`],
  // Signed URLs: X-Amz-Signature, X-Goog-Signature, SAS sig, bare tokens.
  [
    /([?&](?:x-(?:amz|goog)-(?:signature|credential|security-token)|sig|signature|token|access_token|key)=)[^&\s"']+/gi,
    `$1${HIDDEN}`,
  ],
  [/\b(bearer|authorization:\s*\w+)\s+[a-z0-9._~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
];

/** The text without the parts that look like credentials. */
export function redactText(text: string): string {
  let safe = text;
  for (const [shape, replacement] of SECRET_SHAPES) safe = safe.replace(shape, replacement);
  return safe;
}

export function redactFields(fields: EventFields): Record<string, EventFieldValue> {
  const safe: Record<string, EventFieldValue> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (SECRET_NAME.test(name)) safe[name] = HIDDEN;
    else safe[name] = typeof value === 'string' ? redactText(value) : value;
  }
  return safe;
}
