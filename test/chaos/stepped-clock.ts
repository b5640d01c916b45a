/**
 * Loaded into a process before its program (`node --import`): its wall clock is off by what a file says,
 * also when that changes while it runs. mx8 reads no other wall clock than `Date`.
 */
import { readFileSync } from 'node:fs';

const path = process.env['TEST_CLOCK_FILE'];
const READ_EVERY_MS = 200;

if (path !== undefined) {
  const True = Date;
  let offsetMs = 0;
  let readAtMs = -Infinity;
  const now = (): number => {
    const atMs = performance.now();
    if (atMs - readAtMs > READ_EVERY_MS) {
      readAtMs = atMs;
      offsetMs = Number(readFileSync(path, 'utf8'));
    }
    return True.now() + offsetMs;
  };
  globalThis.Date = new Proxy(True, {
    construct: (target, args: unknown[]) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args) as Date,
    get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
  });
}
