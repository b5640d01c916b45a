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
import type { PlaceSurroundings } from '../../src/storage/places.ts';
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
  given: Partial<PlaceSurroundings> = {},
): OpenedPlace<GcsPlace> {
  return opened(given, (ranges, setting) => {
    const session = new GcsSession({ ...GCS_DEFAULTS, ...options }, setting, variables);
    return new GcsPlace(ranges, session);
  });
}

export function openAzure(
  variables: Variables,
  given: Partial<PlaceSurroundings> = {},
): OpenedPlace<AzurePlace> {
  return opened(
    given,
    (ranges, setting) =>
      new AzurePlace(ranges, new AzureSession(AZURE_DEFAULTS, setting, variables)),
  );
}

function opened<T extends Place>(
  given: Partial<PlaceSurroundings>,
  make: (ranges: RangeClient, setting: StoreSetting) => T,
): OpenedPlace<T> {
  const setting = storeSetting(given);
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
