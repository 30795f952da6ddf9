import { EventEmitter } from 'node:events';
import xterm from '@xterm/headless';

/** A terminal whose screen can be read. */
export class Terminal extends EventEmitter {
  private readonly emulator: InstanceType<typeof xterm.Terminal>;
  columns: number;
  rows: number;
  constructor(columns: number, rows: number) {
    super();
    this.columns = columns;
    this.rows = rows;
    this.emulator = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, convertEol: true });
  }
  write(text: string): void {
    this.emulator.write(text);
  }
  async resize(columns: number, rows: number): Promise<void> {
    await this.settled();
    this.emulator.resize(columns, rows);
    this.columns = columns;
    this.rows = rows;
    this.emit('resize');
  }
  /** The lines on the screen. */
  async lines(): Promise<string[]> {
    await this.settled();
    const { active } = this.emulator.buffer;
    const all = Array.from({ length: this.rows }, (_, index) =>
      active.getLine(active.baseY + index)!.translateToString(true),
    );
    return all.slice(0, all.findLastIndex((line) => line !== '') + 1);
  }
  private settled(): Promise<void> {
    return new Promise((resolve) => this.emulator.write('', resolve));
  }
}
