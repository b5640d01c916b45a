/** The server of a service, as somebody wrote it down. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { Origin } from './origin.ts';

/** `flag` is what it was written in: a flag or a variable. Without a slash at the end of its path. */
export function endpointUrl(text: string, flag: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isServer =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === '';
  if (!isServer) {
    throw new Mx8Error(
      'flag_invalid',
      `${flag} is no URL of a server: write it like http://127.0.0.1:9000, without a user or a query.`,
      { flag },
    );
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** A token opens everything for whoever reads it on its way. `flag_invalid` where that could be somebody. */
export function checkMayCarrySecrets(origin: Origin, flag: string): void {
  if (origin.secure || isLoopback(origin.host)) return;
  throw new Mx8Error(
    'flag_invalid',
    `${flag} is ${origin.text}, and the credentials for it would go there in the clear. Write https://, or take the credentials away.`,
    { flag },
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
