import { mkdir, writeFile } from 'node:fs/promises';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { after } from 'node:test';

import { HttpPlace } from '../../src/storage/http/http-place.ts';
import { RangeClient } from '../../src/storage/http/range-client.ts';
import { LocalPlace } from '../../src/storage/local-place.ts';
import { describePlace } from '../../src/storage/place-conformance.ts';
import type { PlaceUnderTest } from '../../src/storage/place-conformance.ts';
import { S3_DEFAULTS } from '../../src/storage/s3/s3-options.ts';
import { S3Place } from '../../src/storage/s3/s3-place.ts';
import { S3Session } from '../../src/storage/s3/s3-session.ts';
import { S3Service, S3_SOURCES, VERSITYGW } from '../support/s3-service.ts';
import { storeSetting } from '../support/store-setting.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let service: Promise<S3Service> | null = null;
let folders = 0;

after(async () => {
  await (await service)?.[Symbol.asyncDispose]();
});

describePlace({
  name: 'local files',
  readOnly: false,
  skip: false,
  create: async (): Promise<PlaceUnderTest> => {
    const folder = await temporaryFolder();
    const setting = storeSetting();
    const root = `${folder.path}/`;
    return {
      place: new LocalPlace(setting.random),
      root,
      put: async (name, bytes) => {
        await mkdir(dirname(`${root}${name}`), { recursive: true });
        await writeFile(`${root}${name}`, bytes);
      },
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
});

describePlace({
  name: 's3',
  readOnly: false,
  skip: VERSITYGW.missing,
  create: async (): Promise<PlaceUnderTest> => {
    service ??= S3Service.start();
    const { url } = await service;
    const setting = storeSetting();
    const ranges = new RangeClient(setting);
    const session = new S3Session({ ...S3_DEFAULTS, endpointUrl: url }, setting, S3_SOURCES);
    const place = new S3Place(ranges, session);
    folders += 1;
    const root = `s3://bucket/test-${folders}/`;
    return {
      place,
      root,
      put: async (name, bytes) => {
        await place.write(`${root}${name}`, bytes, { type: 'any' });
      },
      [Symbol.asyncDispose]: async () => {
        await place.close();
        ranges.close();
      },
    };
  },
});

describePlace({
  name: 'http',
  readOnly: true,
  skip: false,
  create: async (): Promise<PlaceUnderTest> => {
    const folder = await temporaryFolder();
    const server = createServer((request, response) => {
      const path = folder.join(
        decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname),
      );
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats === undefined) {
        response.writeHead(404).end('not here');
        return;
      }
      const etag = `"${stats.mtimeMs}-${stats.size}"`;
      const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
      const [start, last] = [
        Number(match?.[1] ?? 0),
        Math.min(Number(match?.[2] ?? Infinity), stats.size - 1),
      ];
      const length = last - start + 1;
      const headers = { etag, 'content-length': length };
      if (match === null) response.writeHead(200, headers);
      else
        response.writeHead(206, {
          ...headers,
          'content-range': `bytes ${start}-${last}/${stats.size}`,
        });
      if (request.method === 'HEAD') response.end();
      else createReadStream(path, { start, end: last }).pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const ranges = new RangeClient(storeSetting());
    const place = new HttpPlace(ranges);
    return {
      place,
      root: `http://127.0.0.1:${port}/`,
      put: async (name, bytes) => {
        await folder.write({ [name]: bytes });
      },
      [Symbol.asyncDispose]: async () => {
        await place.close();
        ranges.close();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
        await folder[Symbol.asyncDispose]();
      },
    };
  },
});
