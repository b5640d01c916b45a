/** What the system says about writing a packed data set, as a sentence. */
import { Mx8Error } from '../core/base/errors.ts';
import { systemCode, systemReason } from './system-error.ts';

/** `folder` is how errors name what is written. */
export async function writing<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof Mx8Error || systemCode(error) === '') throw error;
    throw new Mx8Error(
      'output_write_failed',
      `Cannot write to ${folder}: ${systemReason(error)}.`,
      { path: folder, system_code: systemCode(error) },
      error,
    );
  }
}
