/** What stands in a lock file. */
import type { ProcessIdentity } from './process-identity.ts';

export interface LockHolder extends ProcessIdentity {
  /** Fresh per attempt: names this one holding of the lock. */
  readonly nonce: string;
}

const NONCE = /^[0-9a-f]{32}$/;

/** With a number of touches the text is another one each time. */
export function encodeHolder(holder: LockHolder, touches: number | null = null): string {
  return `${JSON.stringify({
    pid: holder.pid,
    start_time: holder.startTime,
    boot_id: holder.bootId,
    machine_id: holder.machineId,
    host: holder.host,
    pid_namespace: holder.pidNamespace,
    nonce: holder.nonce,
    ...(touches === null ? {} : { touches }),
  })}\n`;
}

/** Null for anything that `encodeHolder` did not write. */
export function decodeHolder(text: string): LockHolder | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const fields = new Map<string, unknown>(Object.entries(value));
  const read = (name: string): string => {
    const field = fields.get(name);
    return typeof field === 'string' ? field : '';
  };
  const pid = fields.get('pid');
  const nonce = read('nonce');
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return null;
  if (!NONCE.test(nonce)) return null;
  return {
    pid,
    startTime: read('start_time'),
    bootId: read('boot_id'),
    machineId: read('machine_id'),
    host: read('host'),
    pidNamespace: read('pid_namespace'),
    nonce,
  };
}

export function holderText(holder: LockHolder): string {
  return `process ${holder.pid} on ${holder.host}`;
}
