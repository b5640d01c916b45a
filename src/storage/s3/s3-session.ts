/**
 * What is known of one S3 service: its settings, the credentials, and the region of each bucket. Makes
 * signed requests, and says what answers mean.
 */
import { Mx8Error } from '../../core/base/errors.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Authority, RangeRequest, Ticket, Verdict } from '../http/authority.ts';
import { judgeStatus } from '../http/http-errors.ts';
import type { PlainRequest } from '../http/plain-request.ts';
import type { HttpSurroundings } from '../http/range-client.ts';
import { awsSettings } from './aws-settings.ts';
import type { AwsSettings } from './aws-settings.ts';
import { CredentialChain, credentialSources } from './credentials.ts';
import type { CredentialSource } from './credentials.ts';
import { parseS3Error } from './s3-answers.ts';
import { bucketAddress } from './s3-endpoint.ts';
import type { BucketAddress } from './s3-endpoint.ts';
import { encodeKey, parseS3Location } from './s3-location.ts';
import type { S3Options } from './s3-options.ts';
import { Signer } from './signer.ts';
import type { HeaderList } from './signer.ts';

export interface S3Request {
  readonly method: PlainRequest['method'];
  readonly bucket: string;
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

const UNSIGNED = 'UNSIGNED-PAYLOAD';
/** Answers after which other credentials may help. */
const CREDENTIAL_CODES = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'TokenRefreshRequired',
  'InvalidAccessKeyId',
  'InvalidToken',
]);
const REGION_CODES = new Set([
  'PermanentRedirect',
  'TemporaryRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
  'Redirect',
]);
const WAIT_CODES = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'RequestTimeout',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'OperationAborted',
  'ConditionalRequestConflict',
]);
const REGION = /^[a-z0-9-]{2,40}$/;

export class S3Session implements Authority {
  readonly #options: S3Options;
  readonly #signer: Signer;
  readonly #chain: CredentialChain;
  readonly #events: HttpSurroundings['events'];
  /** Regions that buckets were found to be in. */
  readonly #regions: Map<string, string> = new Map();
  #settings: Promise<AwsSettings> | null = null;

  constructor(
    options: S3Options,
    { clock, events }: HttpSurroundings,
    sources: readonly CredentialSource[] = credentialSources(options.machineCredentials),
  ) {
    this.#options = options;
    this.#signer = new Signer(clock);
    this.#chain = new CredentialChain(sources, clock);
    this.#events = events;
  }

  async rangeRequest(location: string): Promise<RangeRequest> {
    const { bucket, key } = parseS3Location(location);
    const { origin, pathPrefix, region } = await this.#address(bucket);
    const target = `${pathPrefix}${encodeKey(key)}`;
    const headers = this.#commonHeaders();
    if (this.#options.anonymous) return { origin, target, headers: Object.entries(headers) };
    const credentials = await this.#chain.get();
    const request = { authority: origin.authority, path: target, headers };
    const signed = this.#signer.signRead(location, request, credentials, region);
    return { origin, target, headers: signed, ticket: credentials };
  }

  async request({
    method,
    bucket,
    key,
    query = {},
    headers = {},
    body,
  }: S3Request): Promise<PlainRequest> {
    const { origin, pathPrefix, region } = await this.#address(bucket);
    const path = key === '' ? pathPrefix : `${pathPrefix}${encodeKey(key)}`;
    const target = `${path}${queryText(query)}`;
    const all = { ...this.#commonHeaders(), ...headers };
    if (this.#options.anonymous) {
      return { method, origin, target, headers: Object.entries(all), body };
    }
    const credentials = await this.#chain.get();
    const signed: HeaderList = await this.#signer.sign(
      {
        method,
        secure: origin.secure,
        authority: origin.authority,
        path,
        query,
        headers: all,
        payloadHash: UNSIGNED,
      },
      credentials,
      region,
    );
    return { method, origin, target, headers: signed, body, ticket: credentials };
  }

  async judge(
    location: string,
    head: ResponseHead,
    body: string,
    ticket?: Ticket,
  ): Promise<Verdict> {
    const { bucket } = parseS3Location(location);
    const { code, message, region } = parseS3Error(body);
    if (CREDENTIAL_CODES.has(code) && ticket !== undefined) {
      return this.#judgeCredentials(location, code, ticket);
    }
    const right = head.headers.get('x-amz-bucket-region') ?? region;
    if (REGION_CODES.has(code) || head.status === 301 || head.status === 307) {
      const verdict = await this.#judgeRegion(bucket, right);
      if (verdict !== null) return verdict;
    }
    if (code === 'NoSuchBucket') {
      const text = `There is no bucket ${bucket} at ${(await this.#address(bucket)).origin.text}.`;
      return { type: 'error', error: new Mx8Error('object_missing', text, { location, bucket }) };
    }
    if (WAIT_CODES.has(code)) return { type: 'wait', why: `the store answered ${code}` };
    return judgeStatus(location, head, message === '' ? code : `${code}: ${message}`);
  }

  /** The ticket of a signed request is what it was signed with. */
  async #judgeCredentials(location: string, code: string, ticket: Ticket): Promise<Verdict> {
    const why = `the store answered ${code}`;
    const found = await this.#chain.replace(ticket);
    switch (found) {
      case 'others':
        this.#events.emit('debug', 'object_credentials_renewed', { location, why });
        return { type: 'again', why };
      case 'too soon':
        return { type: 'wait', why };
      case 'the same': {
        const text = `${location} is not for these credentials: ${why}, and looking for newer ones found the same.`;
        return { type: 'error', error: new Mx8Error('object_denied', text, { location }) };
      }
      default:
        return found satisfies never;
    }
  }

  /** Null: the region is not what is wrong. */
  async #judgeRegion(bucket: string, right: string): Promise<Verdict | null> {
    const { region, isAmazon } = await this.#address(bucket);
    if (!REGION.test(right) || right === region) return null;
    this.#regions.set(bucket, right);
    this.#events.emit('info', 'bucket_region_found', {
      bucket,
      region: right,
      was: region,
      amazon: isAmazon,
    });
    return { type: 'again', why: `the bucket is in ${right}, not in ${region}` };
  }

  async #address(
    bucket: string,
  ): Promise<BucketAddress & { readonly region: string; readonly isAmazon: boolean }> {
    this.#settings ??= awsSettings();
    const settings = await this.#settings;
    const region = this.#regions.get(bucket) ?? this.#options.region ?? settings.region;
    const endpointUrl = this.#options.endpointUrl ?? settings.endpointUrl;
    const address = bucketAddress(bucket, region, endpointUrl, this.#options.forcePathStyle);
    return { ...address, region, isAmazon: endpointUrl === null };
  }

  #commonHeaders(): Record<string, string> {
    return this.#options.requesterPays ? { 'x-amz-request-payer': 'requester' } : {};
  }
}

function queryText(query: Readonly<Record<string, string>>): string {
  const parts = Object.entries(query).map(
    ([name, value]) => `${encodeQuery(name)}=${encodeQuery(value)}`,
  );
  return parts.length === 0 ? '' : `?${parts.sort().join('&')}`;
}

function encodeQuery(text: string): string {
  return encodeKey(text).replaceAll('/', '%2F');
}
