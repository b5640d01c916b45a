/** Places of Google and Azure by themselves, as tests of what they ask for open them. */
import { AzurePlace } from '../../src/storage/azure/azure-place.ts';
import { AzureSession } from '../../src/storage/azure/azure-session.ts';
import { AZURE_DEFAULTS } from '../../src/storage/azure/azure-settings.ts';
import { GcsPlace } from '../../src/storage/gcs/gcs-place.ts';
import { GcsSession } from '../../src/storage/gcs/gcs-session.ts';
import { GCS_DEFAULTS } from '../../src/storage/gcs/gcs-settings.ts';
import type { GcsOptions } from '../../src/storage/gcs/gcs-settings.ts';
import { RangeClient } from '../../src/storage/http/range-client.ts';
import type { Place } from '../../src/ports/place.ts';
import { storeSetting } from './store-setting.ts';
import type { StoreSetting } from './store-setting.ts';

export interface OpenedPlace<T> extends AsyncDisposable {
  readonly place: T;
  readonly setting: StoreSetting;
}

type Variables = Readonly<Record<string, string>>;

export function openGcs(
  variables: Variables,
  options: Partial<GcsOptions> = {},
): OpenedPlace<GcsPlace> {
  return opened((ranges, setting) => {
    const session = new GcsSession({ ...GCS_DEFAULTS, ...options }, setting, variables);
    return new GcsPlace(ranges, session);
  });
}

export function openAzure(variables: Variables): OpenedPlace<AzurePlace> {
  return opened(
    (ranges, setting) =>
      new AzurePlace(ranges, new AzureSession(AZURE_DEFAULTS, setting, variables)),
  );
}

function opened<T extends Place>(
  make: (ranges: RangeClient, setting: StoreSetting) => T,
): OpenedPlace<T> {
  const setting = storeSetting();
  const ranges = new RangeClient(setting);
  const place = make(ranges, setting);
  return {
    place,
    setting,
    [Symbol.asyncDispose]: async () => {
      await place.close();
      ranges.close();
    },
  };
}
