/** What the operating system said of a file of the manifest store. */
import { Mx8Error } from '../core/base/errors.ts';
import { systemCode, systemReason } from '../core/base/system-error.ts';

export { systemCode, systemReason };

/** `manifest_store_failed`, unless the error says something more exact already. */
export function storeError(what: string, path: string, error: unknown): unknown {
  if (error instanceof Mx8Error || systemCode(error) === '') return error;
  return new Mx8Error(
    'manifest_store_failed',
    `Cannot ${what} ${path} of the manifest store: ${systemReason(error)}.`,
    { path, system_code: systemCode(error) },
    error,
  );
}
