const BAR = 24;

/** Tells how far a long work has come. */
export interface Progress {
  /** A part of the work begins: what it is, and how many steps it has in which unit. */
  begin(part: string, total: number, unit: string): void;
  /** So many steps of it are done, counted from its beginning. */
  reach(done: number): void;
  end(): void;
}

/** A bar with rate and time left on a terminal; elsewhere (a log, a pipe) a plain line at each tenth, at most one a second. */
export const progressOn = (out: NodeJS.WriteStream): Progress => {
  let [part, total, unit, began, shown, tenth] = ["", 0, "", 0, 0, 0];
  let reached = 0;
  const text = () => {
    const share = total > 0 ? Math.min(1, reached / total) : 1;
    const seconds = (performance.now() - began) / 1_000;
    const rate = seconds > 0.05 ? reached / seconds : 0;
    const left = share === 1 ? `${seconds.toFixed(1)} s` : rate > 0 ? `${Math.ceil((total - reached) / rate)} s left` : "";
    const bar = `${"█".repeat(Math.round(share * BAR))}${"░".repeat(BAR - Math.round(share * BAR))} `;
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    return `${part.padEnd(10)} ${out.isTTY ? bar : ""}${percent}  ${count(reached)} of ${count(total)} ${unit}  ${count(rate)}/s  ${left}`;
  };
  const draw = () => out.write(out.isTTY ? `\r${text().slice(0, (out.columns ?? 80) - 1)}\u001b[K` : `${text()}\n`);

  return {
    begin(...begun) {
      [part, total, unit] = begun;
      [began, shown, tenth, reached] = [performance.now(), performance.now(), 0, 0];
    },
    reach(done) {
      reached = done;
      const now = performance.now();
      if (out.isTTY ? now - shown < 100 : now - shown < 1_000 || Math.floor((10 * done) / total) <= tenth) return;
      [shown, tenth] = [now, Math.floor((10 * done) / total)];
      draw();
    },
    end() {
      reached = total;
      draw();
      if (out.isTTY) out.write("\n");
    },
  };
};

export const silent: Progress = { begin() {}, reach() {}, end() {} };

/** A whole number for people: `541,909`. */
export const count = (n: number): string => Math.round(n).toLocaleString("en");
