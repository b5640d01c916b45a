import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { after } from 'node:test';

import { HfPlace } from '../../src/storage/hf/hf-place.ts';
import { HttpPlace } from '../../src/storage/http/http-place.ts';
import { RangeClient } from '../../src/storage/http/range-client.ts';
import { LocalPlace } from '../../src/storage/local-place.ts';
import { describePlace } from '../../src/storage/place-conformance.ts';
import type { PlaceUnderTest } from '../../src/storage/place-conformance.ts';
import { S3_DEFAULTS } from '../../src/storage/s3/s3-options.ts';
import { S3Place } from '../../src/storage/s3/s3-place.ts';
import { S3Session } from '../../src/storage/s3/s3-session.ts';
import { AZURITE, AzureService } from '../support/azure-service.ts';
import { openAzure, openGcs } from '../support/open-place.ts';
import { serveFiles } from '../support/file-server.ts';
import { FAKE_GCS, GcsService } from '../support/gcs-service.ts';
import { HfHub } from '../support/hf-hub.ts';
import { S3Service, S3_SOURCES, VERSITYGW } from '../support/s3-service.ts';
import { PATIENT, storeSetting } from '../support/store-setting.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let service: Promise<S3Service> | null = null;
let azure: Promise<AzureService> | null = null;
let gcs: Promise<GcsService> | null = null;
let folders = 0;

after(async () => {
  await (await service)?.[Symbol.asyncDispose]();
  await (await azure)?.[Symbol.asyncDispose]();
  await (await gcs)?.[Symbol.asyncDispose]();
});

describePlace({
  name: 'local files',
  readOnly: false,
  lists: true,
  skip: false,
  create: async (): Promise<PlaceUnderTest> => {
    const folder = await temporaryFolder();
    const setting = storeSetting(PATIENT);
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
  lists: true,
  skip: VERSITYGW.missing,
  create: async (): Promise<PlaceUnderTest> => {
    service ??= S3Service.start();
    const { url } = await service;
    const setting = storeSetting(PATIENT);
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
  lists: false,
  skip: false,
  create: async (): Promise<PlaceUnderTest> => {
    const folder = await temporaryFolder();
    const server = await serveFiles(folder.path);
    const ranges = new RangeClient(storeSetting(PATIENT));
    const place = new HttpPlace(ranges);
    return {
      place,
      root: server.url,
      put: async (name, bytes) => {
        await folder.write({ [name]: bytes });
      },
      [Symbol.asyncDispose]: async () => {
        await place.close();
        ranges.close();
        await server[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  },
});

describePlace({
  name: 'hf',
  readOnly: true,
  lists: true,
  skip: false,
  create: async (): Promise<PlaceUnderTest> => {
    const hub = await HfHub.start();
    const ranges = new RangeClient(storeSetting(PATIENT));
    const place = new HfPlace(ranges, { allowedOrigins: [hub.storageUrl] }, hub.variables);
    return {
      place,
      root: `hf://datasets/${hub.repository}@main/folder/`,
      put: async (name, bytes) => hub.put(`folder/${name}`, bytes),
      [Symbol.asyncDispose]: async () => {
        await place.close();
        ranges.close();
        await hub[Symbol.asyncDispose]();
      },
    };
  },
});

describePlace({
  name: 'az',
  readOnly: false,
  lists: true,
  // A page of Azure's has 5,000, which takes long to put; azure.test.ts goes from page to page.
  manyObjects: 300,
  skip: AZURITE.missing,
  create: async (): Promise<PlaceUnderTest> => {
    azure ??= AzureService.start();
    const running = await azure;
    const opened = openAzure(running.variables, PATIENT);
    folders += 1;
    const folder = `test-${folders}/`;
    return {
      place: opened.place,
      root: `az://${running.container}/${folder}`,
      put: (name, bytes) => running.put(`${folder}${name}`, bytes),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  },
});

describePlace({
  name: 'gs',
  readOnly: false,
  lists: true,
  manyObjects: 1_100,
  skip: FAKE_GCS.missing,
  create: async (): Promise<PlaceUnderTest> => {
    gcs ??= GcsService.start();
    const running = await gcs;
    const opened = openGcs(running.variables, {}, PATIENT);
    folders += 1;
    const folder = `test-${folders}/`;
    return {
      place: opened.place,
      root: `gs://${running.bucket}/${folder}`,
      put: (name, bytes) => running.put(`${folder}${name}`, bytes),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  },
});
