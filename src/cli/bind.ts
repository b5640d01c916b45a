/** Addresses that a server listens on, as they stand in flags. */
import { hostname } from 'node:os';

import { must } from '../core/base/assert.ts';
import type { BindAddress } from '../core/base/bind-address.ts';

/** The kind has checked the form. An empty host stands for all addresses of the machine. */
export function parseBind(text: string): BindAddress {
  const match = must(/^(.*):(\d+)$/.exec(text), 'a checked address has a port');
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '0.0.0.0' : host, port: Number(match[2]) };
}

/** Nobody can dial an address that stands for all of a machine's: its name is said instead. */
export function dialableHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? hostname() : host;
}
