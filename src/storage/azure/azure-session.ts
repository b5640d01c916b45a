/** What is known of an account of Azure. Makes requests that carry its credentials, and says what answers mean. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { ErrorCode } from '../../core/base/errors.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Variables } from '../../ports/variables.ts';
import type { Authority, RangeRequest, Verdict } from '../http/authority.ts';
import { judgeStatus } from '../http/http-errors.ts';
import { originOf } from '../http/origin.ts';
import type { HttpSurroundings } from '../http/range-client.ts';
import { encodeKey } from '../s3/s3-location.ts';
import { parseAzureError } from './azure-answers.ts';
import { parseAzureLocation } from './azure-location.ts';
import { AZURE_VERSION, SasSigner } from './azure-sas.ts';
import type { Access } from './azure-sas.ts';
import { azureSettings } from './azure-settings.ts';
import type { AzureOptions, AzureSettings } from './azure-settings.ts';

/** Refusals whose status says something else. */
const CODES: Readonly<Record<string, readonly [kind: ErrorCode, why: string]>> = {
  BlobArchived: ['object_denied', 'it is in the archive tier: bring it back to hot or cool first'],
  BlobBeingRehydrated: ['object_denied', 'it is on its way back from the archive tier'],
  PublicAccessNotPermitted: ['object_denied', 'the account lets nobody in without credentials'],
  ContainerBeingDeleted: ['object_missing', 'its container is being deleted'],
};

export interface AzureQuestion {
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** What the credentials must be good for. */
  readonly access: Access;
  readonly isOfContainer: boolean;
}

export class AzureSession implements Authority {
  readonly #options: AzureOptions;
  readonly #variables: Variables;
  readonly #clock: HttpSurroundings['clock'];
  #known: { readonly settings: AzureSettings; readonly signer: SasSigner | null } | null = null;

  constructor(options: AzureOptions, { clock }: HttpSurroundings, variables: Variables) {
    this.#options = options;
    this.#clock = clock;
    this.#variables = variables;
  }

  rangeRequest(location: string): RangeRequest {
    return this.request(location, {});
  }

  /** About a blob, or about its container. */
  request(
    location: string,
    { query = {}, headers = {}, access = 'read', isOfContainer = false }: Partial<AzureQuestion>,
  ): RangeRequest {
    const { container, blob } = parseAzureLocation(location);
    const { settings } = this.#account();
    const { endpoint } = settings;
    const name = isOfContainer || blob === '' ? '' : `/${encodeKey(blob)}`;
    const asked = Object.entries(query).map(
      ([key, value]) => `${key}=${encodeURIComponent(value)}`,
    );
    const sas = this.#sas(container, access);
    const parts = sas === '' ? asked : [...asked, sas];
    const queryText = parts.length === 0 ? '' : `?${parts.join('&')}`;
    return {
      origin: originOf(endpoint),
      target: `${endpoint.pathname.replace(/\/$/, '')}/${container}${name}${queryText}`,
      headers: [['x-ms-version', AZURE_VERSION], ...Object.entries(headers)],
    };
  }

  /** With what it takes to read it: for the store, and for no log. */
  sourceUrl(location: string): string {
    const { origin, target } = this.request(location, {});
    return `${origin.text}${target}`;
  }

  judge(location: string, head: ResponseHead, body: string): Verdict {
    const { code, message } = parseAzureError(head, body);
    const { settings } = this.#account();
    const details = { location, status: head.status };
    if (code === 'ContainerNotFound') {
      const { container } = parseAzureLocation(location);
      const text = `${location}: there is no container ${container} at ${settings.endpoint.href}.`;
      return { type: 'error', error: new Mx8Error('object_missing', text, details) };
    }
    const known = CODES[code];
    if (known !== undefined) {
      const text = `${location} cannot be used: ${known[1]} (${code}).`;
      return { type: 'error', error: new Mx8Error(known[0], text, details) };
    }
    const isRefusal = [401, 403, 404].includes(head.status) && code !== 'BlobNotFound';
    const isAnonymous = settings.credential.type === 'anonymous';
    const hint =
      'no credentials were given: AZURE_STORAGE_KEY and AZURE_STORAGE_SAS_TOKEN are not set';
    const said = [code, message, isRefusal && isAnonymous ? hint : ''];
    return judgeStatus(location, head, said.filter((part) => part !== '').join(': '));
  }

  #sas(container: string, access: Access): string {
    const { settings, signer } = this.#account();
    const { credential } = settings;
    switch (credential.type) {
      case 'anonymous':
        return '';
      case 'sas':
        return credential.sas;
      case 'key':
        return signer?.sign(container, isSecure(settings), this.#clock.unixMs(), access) ?? '';
      default:
        return credential satisfies never;
    }
  }

  #account(): { readonly settings: AzureSettings; readonly signer: SasSigner | null } {
    if (this.#known === null) {
      const settings = azureSettings(this.#options, this.#variables);
      const { account, credential } = settings;
      const signer = credential.type === 'key' ? new SasSigner(account, credential.key) : null;
      this.#known = { settings, signer };
    }
    return this.#known;
  }
}

function isSecure({ endpoint }: AzureSettings): boolean {
  return endpoint.protocol === 'https:';
}
