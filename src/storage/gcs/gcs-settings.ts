/** Which server Google's storage is, and whether it wants to know who asks. */
import type { Variables } from '../../ports/variables.ts';
import { endpointUrl } from '../http/endpoint.ts';

/** How Google's storage is reached. No secrets: this is handed to worker processes and written to logs. */
export interface GcsOptions {
  /** null: `STORAGE_EMULATOR_HOST`, else Google's. */
  readonly endpointUrl: string | null;
  /** Requests without a token, for public buckets. */
  readonly anonymous: boolean;
  /** Whether the machine is asked for a token when no file has credentials. */
  readonly machineCredentials: boolean;
}

export const GCS_DEFAULTS: GcsOptions = {
  endpointUrl: null,
  anonymous: false,
  machineCredentials: false,
};

export interface GcsSettings {
  readonly endpoint: URL;
  /** What the endpoint was written in. */
  readonly flag: string;
  readonly anonymous: boolean;
}

const GOOGLE = 'https://storage.googleapis.com';

export function gcsSettings(options: GcsOptions, variables: Variables): GcsSettings {
  const { anonymous } = options;
  if (options.endpointUrl !== null) {
    const flag = '--gs-endpoint-url';
    return { endpoint: endpointUrl(options.endpointUrl, flag), flag, anonymous };
  }
  const flag = 'STORAGE_EMULATOR_HOST';
  const host = variables[flag] ?? '';
  if (host === '') return { endpoint: new URL(GOOGLE), flag, anonymous };
  // Google's tools take it without a scheme too. An emulator asks nobody for a token.
  const text = /^https?:\/\//.test(host) ? host : `http://${host}`;
  return { endpoint: endpointUrl(text, flag), flag, anonymous: true };
}
