import { expect, it } from 'vitest';
import boot from '../../../../client/commands/boot.ts';
import { processOutput } from '../../../../client/terminal/output.ts';

const OPTIONS = { output: '.', memory: 2_048, kvm: true };

it.each(['nothing.qcow2', './nothing.qcow2', '/none/nothing.qcow2'])('a file that is not there is told: %s', (name) =>
  expect(boot.run([name], OPTIONS, processOutput())).rejects.toThrow(`there is no file ${name}`),
);
