/** A container's log as conmon writes it (`k8s-file`): read from the start, while it grows. */
import { open, type FileHandle } from 'node:fs/promises';
import { type ContainerLine, LineJoiner } from './line-joiner.ts';

/** Bytes read at once. */
const CHUNK = 256 * 1024;

/** Reads a container's log bit by bit. */
export class ContainerLogReader {
  private readonly path: string;
  private readonly joiner = new LineJoiner();
  private readonly decoder = new TextDecoder();
  private inode = 0n;
  private position = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** The lines since the last call; none while the file does not exist. */
  async read(): Promise<ContainerLine[]> {
    let file: FileHandle;
    try {
      file = await open(this.path, 'r');
    } catch {
      return [];
    }
    try {
      // conmon replaces a file that has grown too long.
      const { ino } = await file.stat({ bigint: true });
      if (ino !== this.inode) {
        this.inode = ino;
        this.position = 0;
      }
      const lines: ContainerLine[] = [];
      const buffer = Buffer.alloc(CHUNK);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, CHUNK, this.position);
        if (bytesRead === 0) return lines;
        this.position += bytesRead;
        lines.push(...this.joiner.add(this.decoder.decode(buffer.subarray(0, bytesRead), { stream: true })));
      }
    } finally {
      await file.close();
    }
  }

  /** The incomplete lines, when nothing more will come. */
  end(): ContainerLine[] {
    return this.joiner.end();
  }
}
