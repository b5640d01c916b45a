/**
 * The file that says who asks: what `GOOGLE_APPLICATION_CREDENTIALS` names, or what `gcloud auth
 * application-default login` left. It is read anew for each token, so that a file that was rotated is enough.
 */
import { createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { Mx8Error } from '../../core/base/errors.ts';
import type { Variables } from '../../ports/variables.ts';

/** A request for a token: where, and what. */
export interface TokenRequest {
  /** Where the credentials are from, for people. */
  readonly who: string;
  readonly url: URL;
  readonly form: Readonly<Record<string, string>>;
}

/** What a token is good for. */
export type Access = 'read' | 'write';

const SCOPES: Readonly<Record<Access, string>> = {
  read: 'https://www.googleapis.com/auth/devstorage.read_only',
  write: 'https://www.googleapis.com/auth/devstorage.read_write',
};
const TOKEN_URL = 'https://oauth2.googleapis.com/token';
const JWT_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const JWT_TTL_S = 3600;

/** Null where there is no such file; `object_credentials_missing` where it cannot be used. */
export async function tokenRequest(
  variables: Variables,
  unixMs: number,
  access: Access,
): Promise<TokenRequest | null> {
  const given = variables['GOOGLE_APPLICATION_CREDENTIALS'] ?? '';
  const home = variables['HOME'] ?? homedir();
  const folder = variables['CLOUDSDK_CONFIG'] ?? join(home, '.config', 'gcloud');
  const path = given === '' ? join(folder, 'application_default_credentials.json') : given;
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (given === '') return null;
    const reason = error instanceof Error ? error.message : String(error);
    throw unusable(path, `cannot be read: ${reason}`);
  });
  return text === null ? null : requestOf(path, fieldsOf(path, text), { unixMs, access });
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(path: string, text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Fields;
  } catch {
    // A text that is not JSON; said below, without a word of it, as it is secret.
  }
  throw unusable(path, 'is no JSON of credentials');
}

interface Asked {
  readonly unixMs: number;
  readonly access: Access;
}

function requestOf(path: string, fields: Fields, asked: Asked): TokenRequest {
  const { type } = fields;
  const url = urlOf(path, fields['token_uri'] ?? TOKEN_URL);
  if (type === 'service_account') {
    const email = textOf(path, fields, 'client_email');
    return {
      who: `${email} of ${path}`,
      url,
      form: { grant_type: JWT_GRANT, assertion: assertion(path, fields, email, url, asked) },
    };
  }
  if (type === 'authorized_user') {
    return {
      who: `the login in ${path}`,
      url,
      form: {
        grant_type: 'refresh_token',
        client_id: textOf(path, fields, 'client_id'),
        client_secret: textOf(path, fields, 'client_secret'),
        refresh_token: textOf(path, fields, 'refresh_token'),
      },
    };
  }
  throw unusable(
    path,
    `is of type ${JSON.stringify(type)}: service_account and authorized_user are known`,
  );
}

/** A statement, signed with the account's key, that it is this account which asks (RFC 7523). */
function assertion(
  path: string,
  fields: Fields,
  email: string,
  { href }: URL,
  { unixMs, access }: Asked,
): string {
  const issuedAt = Math.floor(unixMs / 1000);
  const keyId = fields['private_key_id'];
  const head = { alg: 'RS256', typ: 'JWT', ...(typeof keyId === 'string' ? { kid: keyId } : {}) };
  const claims = {
    iss: email,
    scope: SCOPES[access],
    aud: href,
    iat: issuedAt,
    exp: issuedAt + JWT_TTL_S,
  };
  const signed = `${base64url(head)}.${base64url(claims)}`;
  const key = keyOf(path, textOf(path, fields, 'private_key'));
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

function keyOf(path: string, pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // What is wrong with it is nothing that a log may hold.
  }
  throw unusable(path, 'has a private_key that is no RSA key');
}

function urlOf(path: string, text: unknown): URL {
  if (typeof text === 'string' && URL.canParse(text)) {
    const url = new URL(text);
    if (/^https?:$/.test(url.protocol)) return url;
  }
  throw unusable(path, 'has a token_uri that is no URL');
}

function textOf(path: string, fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw unusable(path, `has no ${name}`);
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function unusable(path: string, why: string): Mx8Error {
  return new Mx8Error(
    'object_credentials_missing',
    `No credentials for Google: the file ${path} ${why}.`,
    { path },
  );
}
