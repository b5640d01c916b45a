import { AzurePlace } from '../../src/storage/azure/azure-place.ts';
import { AzureSession } from '../../src/storage/azure/azure-session.ts';
import { AZURE_DEFAULTS } from '../../src/storage/azure/azure-settings.ts';
import { GcsPlace } from '../../src/storage/gcs/gcs-place.ts';
import { GcsSession } from '../../src/storage/gcs/gcs-session.ts';
import { GCS_DEFAULTS } from '../../src/storage/gcs/gcs-settings.ts';
import { HfPlace } from '../../src/storage/hf/hf-place.ts';
import { answer, served } from '../support/fault-store.ts';
import { AZURE_KEY } from '../support/azure-service.ts';
import { HF_TOKEN } from '../support/hf-hub.ts';
import { describeFaults, ok } from '../support/place-faults.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

describeFaults({
  name: 'hf',
  open: (ranges, url) =>
    new HfPlace(ranges, { allowedOrigins: [] }, { HF_ENDPOINT: url, HF_TOKEN }),
  location: `hf://datasets/owner/photos@${COMMIT}/folder/object.bin`,
  secret: HF_TOKEN,
  served,
  denied: answer('403 Forbidden', ['X-Error-Code: GatedRepo', 'X-Error-Message: Ask first.']),
  missing: answer('404 Not Found', ['X-Error-Code: EntryNotFound']),
  nowhere: [answer('404 Not Found', ['X-Error-Code: RepoNotFound']), 'no data set owner/photos'],
  busy: [
    answer('429 Too Many Requests', ['RateLimit: "api";r=0;t=1']),
    answer('503 Service Unavailable'),
    answer('500 Internal Server Error', [], '{"error":"Internal Error"}'),
  ],
  lies: [
    [ok('<html>Welcome</html>'), 'no list'],
    [ok([{ type: 'file', path: 'a', size: -1 }]), 'size'],
    [ok([{ type: 'file', size: 1 }]), 'path'],
    [ok([], ['Link: <https://elsewhere.example/x>; rel="next"']), 'elsewhere.example'],
    [
      ok(
        [],
        [
          `Link: </api/datasets/owner/photos/tree/${COMMIT}/folder?recursive=true&expand=false&limit=1000>; rel="next"`,
        ],
      ),
      'again and again',
    ],
  ],
});

describeFaults({
  name: 'az',
  open: (ranges, url, setting) => {
    const variables = {
      AZURE_STORAGE_ACCOUNT: 'photos',
      AZURE_STORAGE_KEY: AZURE_KEY,
      AZURE_STORAGE_ENDPOINT: url,
    };
    return new AzurePlace(ranges, new AzureSession(AZURE_DEFAULTS, setting, variables));
  },
  location: 'az://container/folder/object.bin',
  secret: AZURE_KEY,
  served,
  denied: azureError('403 This request is not authorized', 'AuthorizationPermissionMismatch'),
  missing: azureError('404 The specified blob does not exist.', 'BlobNotFound'),
  nowhere: [
    azureError('404 The specified container does not exist.', 'ContainerNotFound'),
    'no container container',
  ],
  busy: [
    azureError('503 The server is busy.', 'ServerBusy'),
    azureError('500 Operation could not be completed', 'OperationTimedOut'),
    answer('429 Too Many Requests'),
  ],
  lies: [
    [ok('<html>Welcome</html>'), 'no listing'],
    [blobPage(['folder/b', 'folder/a']), 'byte order'],
    [blobPage(['folder/a', 'folder/a']), 'byte order'],
    [blobPage(['elsewhere/a']), 'elsewhere/a'],
    [blobPage([], 'same'), 'again and again'],
  ],
});

describeFaults({
  name: 'gs',
  open: (ranges, url, setting) => {
    const variables = { STORAGE_EMULATOR_HOST: url };
    return new GcsPlace(ranges, new GcsSession(GCS_DEFAULTS, setting, variables));
  },
  location: 'gs://bucket/folder/object.bin',
  secret: 'nobody asks for one',
  served: (asked, object, etag) => served(asked, object, etag, 'X-Goog-Generation'),
  denied: answer('403 Forbidden', [], 'reader does not have storage.objects.get access'),
  missing: answer('404 Not Found', [], 'No such object: bucket/folder/object.bin'),
  nowhere: [
    answer('404 Not Found', [], gcsError(404, 'notFound', 'The specified bucket does not exist.')),
    'no bucket bucket',
  ],
  busy: [
    answer('429 Too Many Requests', [], gcsError(429, 'rateLimitExceeded', 'Slow down.')),
    answer('403 Forbidden', [], gcsError(403, 'userRateLimitExceeded', 'Slow down.')),
    answer('503 Service Unavailable', [], gcsError(503, 'backendError', 'Backend Error')),
  ],
  lies: [
    [ok('<html>Welcome</html>'), 'no listing'],
    [ok({ items: 7 }), 'no listing'],
    [ok(gcsPage(['folder/b', 'folder/a'])), 'byte order'],
    [ok(gcsPage(['folder/a', 'folder/a'])), 'byte order'],
    [ok(gcsPage(['elsewhere/a'])), 'elsewhere/a'],
    [ok({ items: [{ name: 'folder/a', size: '-1' }] }), 'size'],
    [ok({ nextPageToken: 'same' }), 'again and again'],
  ],
});

function gcsError(code: number, reason: string, message: string): string {
  return JSON.stringify({ error: { code, message, errors: [{ reason, message }] } });
}

function gcsPage(names: readonly string[]): object {
  return { items: names.map((name) => ({ name, size: '1', generation: '1' })) };
}

function azureError(status: string, code: string): string {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so\nRequestId:1</Message></Error>`;
  return answer(status, [`x-ms-error-code: ${code}`], body);
}

function blobPage(names: readonly string[], next = ''): string {
  const blobs = names.map(
    (name) =>
      `<Blob><Name>${name}</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>`,
  );
  return ok(
    `<EnumerationResults><Blobs>${blobs.join('')}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
  );
}
