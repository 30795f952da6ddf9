/**
 * Everything that the client runs of Temporal's SDK: the only file of client/ that imports more than its types. It is
 * loaded once a server is needed, and the build makes one file of it and of what it imports, which loads in two thirds
 * of the time. Workers load the packages themselves: classes and symbols of the two copies must not meet.
 */
export { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
export { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
export { loadClientConnectConfig } from '@temporalio/envconfig';

/** The SDK's interceptors for OpenTelemetry, for a command that sends traces. */
export const tracesOfSdk = () => import('../../workers/telemetry/traces.ts');
