/** Counts of things by name, printed as a table. */
export class Tally {
  private readonly counts = new Map<string, number>();

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** `  12  SIGKILL of the sign worker`, by name. */
  lines(): string[] {
    return [...this.counts]
      .sort(([left], [right]) => left.localeCompare(right))
      .map(([name, count]) => `${String(count).padStart(5)}  ${name}`);
  }
}
