/** How a failure is said: a sentence and the way out for a person, an object for a program. */
import { Mx8Error, errorKind } from '../core/base/errors.ts';
import { redactText } from '../core/base/redact.ts';
import { redactFields } from '../platform/redact.ts';

/** Two lines: what happened, and what to do about it. */
export function errorText(error: unknown, showStack: boolean): string {
  if (error instanceof Mx8Error) {
    const { remedy } = errorKind(error.code);
    const stack = showStack && error.stack !== undefined ? `\n${error.stack}` : '';
    return redactText(`mx8: ${error.message} [${error.code}]\n     ${remedy}${stack}\n`);
  }
  const message = error instanceof Error ? error.message : String(error);
  if (showStack && error instanceof Error && error.stack !== undefined) {
    return redactText(`mx8: this is a bug: ${message}\n${error.stack}\n`);
  }
  return redactText(
    `mx8: this is a bug: ${message}\n     Run it again with MX8_LOG=debug and report the stack that it prints.\n`,
  );
}

/** One line of JSON, in the stream of events that `--json` prints. */
export function errorJson(error: unknown): string {
  const known = error instanceof Mx8Error ? error : null;
  const code = known?.code ?? 'internal';
  return `${JSON.stringify({
    event: 'error',
    code,
    message: redactText(error instanceof Error ? error.message : String(error)),
    remedy: errorKind(code).remedy,
    retryable: errorKind(code).retryable,
    details: redactFields(known?.details ?? {}),
  })}\n`;
}
