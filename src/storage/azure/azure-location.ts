/** `az://container/blob`. The name of the blob is what it is: nothing in it is encoded. */
import { Mx8Error } from '../../core/base/errors.ts';

export interface AzureLocation {
  readonly container: string;
  readonly blob: string;
}

const SCHEME = 'az://';
const CONTAINER = /^(?:\$root|\$web|\$logs|[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9]))$/;

export function parseAzureLocation(location: string): AzureLocation {
  const rest = location.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const container = slash === -1 ? rest : rest.slice(0, slash);
  if (!location.startsWith(SCHEME) || !CONTAINER.test(container)) {
    throw new Mx8Error(
      'link_invalid',
      `${location} names no container: write az://CONTAINER/PATH. The account is given by AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING, not in the link.`,
      { location },
    );
  }
  return { container, blob: slash === -1 ? '' : rest.slice(slash + 1) };
}
