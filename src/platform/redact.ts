/** Keeps secrets out of log lines: by the name of a field, and by the shape of a value. */
import { redactText } from '../core/base/redact.ts';
import type { EventFields, EventFieldValue } from '../ports/event-sink.ts';

/** A lease id or a finalize token names a grant and opens nothing; these open something. */
const SECRET_NAME =
  /(^|_)(password|passwd|secret|authorization|cookie|credentials?|private_key|api_key|access_key|access_key_id|secret_access_key|session_token|auth_token|bearer_token|access_token|refresh_token)$/i;

export function redactFields(fields: EventFields): Record<string, EventFieldValue> {
  const safe: Record<string, EventFieldValue> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (SECRET_NAME.test(name)) safe[name] = '[redacted]';
    else safe[name] = typeof value === 'string' ? redactText(value) : value;
  }
  return safe;
}
