/** The house of a test file, opened before its tests and closed after them. */
import { afterAll, beforeAll, inject } from 'vitest';
import { openHouse, type House } from './house.ts';
import type { Namespace } from './namespaces.ts';
import { installQuietRuntime } from './server.ts';

/** Opens a house for the tests of a file; use `house()` inside them. */
export function useHouse(namespace: Namespace): () => House {
  let house: House | undefined;
  beforeAll(async () => {
    installQuietRuntime();
    house = await openHouse({ address: inject('temporalAddress'), namespace, bundle: inject('workflowBundle') });
  });
  afterAll(async () => {
    await house?.close();
  });
  return () => {
    if (!house) throw new Error('the house is not open');
    return house;
  };
}
