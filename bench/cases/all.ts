/** Every case, in the order of the table. */
import type { Case } from '../case.ts';
import { buildHost } from './build-host.ts';
import { command } from './command.ts';
import { evidence } from './evidence.ts';
import { oneDisk } from './one-disk.ts';
import { orchestration } from './orchestration.ts';
import { publish } from './publish.ts';
import { threeDisks } from './three-disks.ts';
import { update } from './update.ts';

export const CASES: readonly Case[] = [
  oneDisk,
  threeDisks,
  publish,
  buildHost,
  update,
  evidence,
  orchestration,
  command,
];
