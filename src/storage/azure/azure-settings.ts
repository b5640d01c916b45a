/** The account, its server and its credentials, as Azure's own tools are told them by variables. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { Variables } from '../../ports/variables.ts';
import { checkMayCarrySecrets, endpointUrl } from '../http/endpoint.ts';
import { originOf } from '../http/origin.ts';

/** How Azure is reached. No secrets: this is handed to worker processes and written to logs. */
export interface AzureOptions {
  /** null: what the variables say, else Azure's of the account. */
  readonly endpointUrl: string | null;
}

export const AZURE_DEFAULTS: AzureOptions = { endpointUrl: null };

export interface AzureSettings {
  /** '' where only a server was named; signing needs it. */
  readonly account: string;
  /** Of blobs; an emulator's has the account in its path. Without a slash at its end. */
  readonly endpoint: URL;
  readonly credential:
    | { readonly type: 'key'; readonly key: Buffer }
    /** Somebody signed it: a query without `?`. */
    | { readonly type: 'sas'; readonly sas: string }
    | { readonly type: 'anonymous' };
}

/** The account that every emulator has; its key is printed in their documentation. */
const EMULATOR = {
  AccountName: 'devstoreaccount1',
  AccountKey:
    'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  BlobEndpoint: 'http://127.0.0.1:10000/devstoreaccount1',
};

export function azureSettings(options: AzureOptions, variables: Variables): AzureSettings {
  const given = connectionFields(variables['AZURE_STORAGE_CONNECTION_STRING'] ?? '');
  const named = (field: string, ...names: readonly string[]): string =>
    [given[field], ...names.map((name) => variables[name])].find((text) => (text ?? '') !== '') ??
    '';
  const written =
    options.endpointUrl ??
    named('BlobEndpoint', 'AZURE_STORAGE_SERVICE_ENDPOINT', 'AZURE_STORAGE_ENDPOINT');
  let account = named('AccountName', 'AZURE_STORAGE_ACCOUNT', 'AZURE_STORAGE_ACCOUNT_NAME');
  if (account === '' && written === '') throw noAccount();
  if (account !== '' && !/^[a-z0-9]{3,24}$/.test(account)) {
    throw invalid(
      'The account of Azure',
      'is no name of one: 3 to 24 lower-case letters and digits',
    );
  }
  const suffix = given['EndpointSuffix'] ?? 'core.windows.net';
  const scheme = given['DefaultEndpointsProtocol'] ?? 'https';
  const text = written === '' ? `${scheme}://${account}.blob.${suffix}` : written;
  const flag = options.endpointUrl === null ? 'The endpoint of Azure' : '--az-endpoint-url';
  const endpoint = endpointUrl(text, flag);
  if (account === '') account = /^([a-z0-9]+)\.blob\./.exec(endpoint.hostname)?.[1] ?? '';
  const key = named('AccountKey', 'AZURE_STORAGE_KEY', 'AZURE_STORAGE_ACCOUNT_KEY');
  const sas = named('SharedAccessSignature', 'AZURE_STORAGE_SAS_TOKEN').replace(/^\?/, '');
  if (key === '' && sas === '') return { account, endpoint, credential: { type: 'anonymous' } };
  checkMayCarrySecrets(originOf(endpoint), flag);
  if (key === '') return { account, endpoint, credential: { type: 'sas', sas: checked(sas) } };
  if (account === '') throw noAccount();
  return { account, endpoint, credential: { type: 'key', key: decoded(key) } };
}

function connectionFields(text: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    if (equals > 0) fields[part.slice(0, equals).trim()] = part.slice(equals + 1).trim();
    else if (part.trim() !== '') {
      throw invalid('AZURE_STORAGE_CONNECTION_STRING', 'has a part that is not NAME=VALUE');
    }
  }
  return fields['UseDevelopmentStorage'] === 'true' ? { ...EMULATOR, ...fields } : fields;
}

function decoded(key: string): Buffer {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) {
    throw invalid('The key of the Azure account', 'is not the Base64 that the portal shows');
  }
  return Buffer.from(key, 'base64');
}

/** It becomes part of a request line. */
function checked(sas: string): string {
  if (/^[\x21-\x7e]+$/.test(sas) && !/[#"<>]/.test(sas) && /(?:^|&)sig=/.test(sas)) return sas;
  throw invalid('The shared access signature for Azure', 'is no query with sig= in it');
}

function noAccount(): Mx8Error {
  return new Mx8Error(
    'object_credentials_missing',
    'Nothing says which account of Azure az:// is about: set AZURE_STORAGE_ACCOUNT, with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN for what is not public, or AZURE_STORAGE_CONNECTION_STRING.',
  );
}

/** Without the value, which may be a secret. */
function invalid(what: string, why: string): Mx8Error {
  return new Mx8Error('flag_invalid', `${what} ${why}.`, { flag: what });
}
