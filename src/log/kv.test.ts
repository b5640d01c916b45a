import { MemoryKv } from '../testing/memory-kv.ts';
import { runKvStoreSuite } from './kv-conformance.ts';

runKvStoreSuite({
  name: 'memory',
  create: () => {
    const store = new MemoryKv();
    return Promise.resolve({
      store,
      reopen: () => new MemoryKv({ disk: store.disk }),
      expire: (leaseId) => {
        store.disk.expireLease(leaseId);
        return Promise.resolve();
      },
      cleanUp: () => store.close(),
    });
  },
});
