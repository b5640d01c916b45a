/** A server that is spoken to: scheme, host and port; and the lookup of its address, with refusals. */
import { lookup as dnsLookup } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';

import { Mx8Error } from '../../core/base/errors.ts';
import { refusedAddress, refusedHostName } from '../../core/transfer/addresses.ts';

export interface Origin {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** `https://host:port`; what errors and logs name. */
  readonly text: string;
  /** Of the `Host` header. */
  readonly authority: string;
}

/** `address_refused` for a host that no data set is read from. */
export function originOf(url: URL): Origin {
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const why = refusedHostName(host) ?? (isIP(host) === 0 ? null : refusedAddress(host));
  if (why !== null) throw addressRefused(url.origin, host, why);
  return { secure, host, port, text: url.origin, authority: url.host };
}

/** As `net.connect` takes it: the address that was looked at is the one that is connected to. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '', 0);
      return;
    }
    for (const { address } of addresses) {
      const why = refusedAddress(address);
      if (why === null) continue;
      callback(addressRefused(hostname, address, why), '', 0);
      return;
    }
    const first = addresses[0];
    if (options.all === true) callback(null, addresses);
    else callback(null, first?.address ?? '', first?.family ?? 0);
  });
};

export function addressRefused(where: string, address: string, why: string): Mx8Error {
  return new Mx8Error(
    'address_refused',
    `${where} is at ${address}, which is ${why}: nothing is read from there. Correct the link, or the manifest that names it.`,
    { origin: where, address },
  );
}
