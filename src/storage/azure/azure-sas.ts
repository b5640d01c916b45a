/**
 * Signs for a container for an hour (a service SAS): what is signed then goes with every request as a part of its
 * query. Signing each request instead (SharedKey) would cover its range, so each of them would cost a sum.
 */
import { createHmac } from 'node:crypto';

import { basicTime } from '../../core/transfer/http-date.ts';

/** Of the service; signatures are made for it too. */
export const AZURE_VERSION = '2021-12-02';

const SAS_TTL_MS = 3_600_000;
/** A new one is made so long before the old one ends: requests under way, and clocks that differ. */
const RENEW_BEFORE_MS = 900_000;

export type Access = 'read' | 'write';

/** Reading and listing; creating, writing and deleting only where that is what is done. In the service's order. */
const PERMISSIONS: Readonly<Record<Access, string>> = { read: 'rl', write: 'rcwdl' };

export class SasSigner {
  readonly #account: string;
  readonly #key: Buffer;
  readonly #signed: Map<string, { readonly sas: string; readonly renewUnixMs: number }> = new Map();

  constructor(account: string, key: Buffer) {
    this.#account = account;
    this.#key = key;
  }

  /** A query without `?`. */
  sign(container: string, secure: boolean, unixMs: number, access: Access = 'read'): string {
    const name = `${access} ${container}`;
    const known = this.#signed.get(name);
    if (known !== undefined && unixMs < known.renewUnixMs) return known.sas;
    const permissions = PERMISSIONS[access];
    const expiry = isoTime(unixMs + SAS_TTL_MS);
    const protocol = secure ? 'https' : 'https,http';
    const resource = `/blob/${this.#account}/${container}`;
    // In the order that the service sums them: start, identifier, address, snapshot and headers are not used.
    const signed = [
      ...[permissions, '', expiry, resource, '', '', protocol, AZURE_VERSION, 'c'],
      ...['', '', '', '', '', '', ''],
    ];
    const signature = createHmac('sha256', this.#key).update(signed.join('\n')).digest('base64');
    const query = new URLSearchParams({
      sv: AZURE_VERSION,
      sr: 'c',
      sp: permissions,
      se: expiry,
      spr: protocol,
      sig: signature,
    });
    const sas = query.toString();
    this.#signed.set(name, { sas, renewUnixMs: unixMs + SAS_TTL_MS - RENEW_BEFORE_MS });
    return sas;
  }
}

/** `2026-11-26T02:04:05Z`. */
function isoTime(unixMs: number): string {
  return basicTime(unixMs).replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
}
