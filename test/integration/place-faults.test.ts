import { HfPlace } from '../../src/storage/hf/hf-place.ts';
import { answer, served } from '../support/fault-store.ts';
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
