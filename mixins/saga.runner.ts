import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Logger, ServiceBroker } from "moleculer";
import type { Meta } from "./core/context.ts";
import { Conflict, Rejected } from "./core/errors.ts";
import { cancellable, nextStep, type Saga, type SagaEvent, type SagaState, type Step, sagaModel, undoable } from "./core/saga.ts";
import { me } from "./runtime/lease.ts";
import { Places } from "./saga.places.ts";
import { ended, type Origin, type Run, SagaRecord } from "./saga.record.ts";
import type { LeaseStore } from "./storage/lease-store.ts";
import type { SagaStore } from "./storage/saga-store.ts";

const TRIES = 5;
const TIMEOUT = 5_000;
const BACKOFF = 50; // milliseconds before the second try, doubled each time up to half a minute
const LONGEST = 30_000;
const MAX_RUNNING = 1_000;
const HANGING = 1_000; // milliseconds after which a stopping process leaves a step to itself

/**
 * Runs step tables durably. Progress is events; it is appended without waiting, for a step that is repeated has no second
 * effect, and whoever takes a saga over repeats the step that was not recorded. An owner that is late does no harm: its
 * appends lose the version.
 */
export class SagaRunner {
  readonly #record: SagaRecord;
  readonly #store: SagaStore;
  readonly #leases: LeaseStore;
  readonly #broker: ServiceBroker;
  readonly #logger: Logger;
  readonly #running = new Map<string, { run: Promise<Run>; ended: Promise<SagaState | undefined> }>();
  readonly #known = new LRUCache<string, true>({ max: 10_000 });
  readonly #places = new Places(() => this.#running.size >= MAX_RUNNING && !this.#stopped);
  #stopped = false;
  readonly #stopping = Promise.withResolvers<void>();
  readonly #left = Promise.withResolvers<undefined>();
  /** Resolves when this process has stopped working on sagas: what was under way goes on elsewhere. */
  readonly left: Promise<undefined> = this.#left.promise;

  constructor(sagas: Iterable<Saga<never>>, store: SagaStore, leases: LeaseStore, broker: ServiceBroker, logger: Logger) {
    this.#record = new SagaRecord(sagas, store);
    this.#store = store;
    this.#leases = leases;
    this.#broker = broker;
    this.#logger = logger;
  }

  /** Starts the saga unless it has been, and answers how it ended; undefined where another process runs it, or this one stops. */
  async run(id: string, saga: string, input: object, origin: Origin): Promise<SagaState | undefined> {
    const running = this.#running.get(id);
    if (running) return running.ended;
    while (this.#places.full) await this.#places.next();
    if (this.#stopped) return undefined;
    return (this.#running.get(id) ?? this.#begin(id, () => this.#startOrLoad(id, saga, input, origin))).ended;
  }

  /** How a saga that another process works on ended; undefined once nobody waits for it any more. */
  async ending(id: string, awaited: () => boolean): Promise<SagaState | undefined> {
    while (awaited() && !this.#stopped) {
      const change = Promise.withResolvers<void>();
      const silence = this.#store.listen(change.resolve);
      try {
        const { state } = await this.#record.load(id);
        if (ended({ state })) return state;
        await Promise.race([change.promise, this.#stopping.promise]);
      } finally {
        silence();
      }
    }
    return undefined;
  }

  /** Whether this process has started the saga not long ago. */
  knows(id: string): boolean {
    return this.#known.has(id);
  }

  /** Resolves once the record says that the saga has begun; it goes on by itself. Throws where this process stops before. */
  async ensure(id: string, saga: string, input: object, origin: Origin): Promise<void> {
    const { version, state } = await this.#record.load(id);
    if (version > 0 && (ended({ state }) || state.owner !== me || this.#running.has(id))) return;
    while (this.#places.full) await this.#places.next();
    if (this.#stopped) throw new Error(`${id} is left to another process`);
    const { run, ended: end } = this.#running.get(id) ?? this.#begin(id, () => this.#startOrLoad(id, saga, input, origin));
    const begun = async () => {
      this.#record.flush(await run);
      await (await run).begun;
    };
    await Promise.race([begun(), end]);
  }

  /** How the saga stands in the record. */
  async state(id: string): Promise<SagaState & { version: number }> {
    const { state, version } = await this.#record.load(id);
    return { ...state, version };
  }

  /** Asks that the saga be undone. Refused once it has passed its point of no return. */
  async cancel(id: string, reason: string): Promise<void> {
    const mine = await this.#running.get(id)?.run.catch(() => undefined);
    if (mine) this.#record.flush(mine); // what it has done so far is what decides
    await mine?.stored.catch(() => {});
    for (;;) {
      const run = await this.#record.load(id);
      if (run.state.cancelled || run.state.status === "undoing" || run.state.status === "undone") return;
      if (run.state.status === "none") throw new Rejected("SAGA_NOT_FOUND", `There is no saga ${id}`, 404);
      if (!cancellable(run.saga, run.state)) {
        throw new Rejected("SAGA_NOT_CANCELLABLE", `${id} has passed its point of no return`, 409);
      }
      this.#record.append(run, [{ type: "SagaCancelled", reason }]);
      try {
        await run.stored;
        return this.hurry(id);
      } catch (error) {
        if (!(error instanceof Conflict)) throw error;
      }
    }
  }

  /** How many sagas run here, and how many of those fail again and again. */
  async load(): Promise<{ running: number; stuck: number }> {
    const runs = await Promise.allSettled([...this.#running.values()].map(({ run }) => run));
    return { running: runs.length, stuck: runs.filter((run) => run.status === "fulfilled" && run.value.state.stuck).length };
  }

  /** Ends the wait of a saga that this process runs. */
  hurry(id: string): void {
    this.#running.get(id)?.run.then(
      ({ hurry }) => hurry(),
      () => {},
    );
  }

  /** Goes on with the sagas of this process that nobody works on any more (their store failed), and with those whose owner is gone. */
  async takeOver(ofOthers = true): Promise<void> {
    for (const status of ["running", "undoing"]) {
      for (
        let after = "", rows = await this.#store.list(status, after, 200);
        rows.length > 0 && !this.#stopped;
        rows = await this.#store.list(status, after, 200)
      ) {
        after = rows.at(-1)!.id;
        const alive = await this.#leases.alive([...new Set(rows.map(({ owner }) => owner))]);
        for (const { id, owner } of rows) {
          if (this.#running.has(id) || (owner !== me && (!ofOthers || alive.has(owner))) || this.#running.size >= MAX_RUNNING) continue;
          void this.#begin(id, () => this.#take(id, owner)).ended.catch(() => {});
        }
      }
    }
  }

  /** Begins no step any more. A step that hangs is not waited for: whoever takes the saga over makes it again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopping.resolve();
    this.#places.freeAll();
    const all = Promise.allSettled([...this.#running.values()].map(({ ended }) => ended));
    await Promise.race([all, delay(HANGING, undefined, { ref: false })]);
    this.#left.resolve(undefined);
  }

  #begin(id: string, load: () => Promise<Run>) {
    const run = load();
    const ended = run
      .then((run) => this.#work(run))
      .finally(() => {
        this.#running.delete(id);
        this.#places.free();
      });
    const entry = { run, ended };
    this.#running.set(id, entry);
    ended.catch((error) => this.#logger.warn({ event: "saga.failed", saga: id, error: String(error) }));
    return entry;
  }

  async #startOrLoad(id: string, saga: string, input: object, origin: Origin): Promise<Run> {
    const run = await this.#record.load(id);
    if (run.state.status !== "none") return run.state.owner === me || ended(run) ? run : this.#claim(run);
    run.saga = this.#record.saga(saga);
    run.origin = origin;
    this.#record.note(run, [{ type: "SagaStarted", saga, input, owner: me }]);
    void run.begun.then(() => this.#known.set(id, true));
    return run;
  }

  async #take(id: string, shown: string): Promise<Run> {
    const run = await this.#record.load(id);
    const { status, owner, saga } = run.state;
    if (status === "none") return run; // shown before it was recorded: what led to it has not been passed yet, and begins it
    if (ended(run) || owner !== shown) await this.#correct(run);
    if (!ended(run) && owner !== me) this.#logger.info({ event: "saga.taken_over", saga: id, name: saga, owner });
    return owner === me || ended(run) ? run : this.#claim(run);
  }

  /** Only a saga whose owner is gone changes hands. */
  async #claim(run: Run): Promise<Run> {
    if ((await this.#leases.alive([run.state.owner])).size === 0) this.#record.append(run, [{ type: "SagaTaken", owner: me }]);
    return run;
  }

  async #correct({ id, version, state: { saga, status, owner } }: Run) {
    await this.#store.correct?.({ id, saga, status, owner, at: Date.now() }, version);
  }

  /** Does one step after another, until the saga has ended or belongs to somebody else. */
  async #work(run: Run): Promise<SagaState | undefined> {
    while (!this.#stopped) {
      try {
        while (!ended(run) && run.state.owner === me && !this.#stopped) await this.#step(run);
        this.#record.flush(run);
        await run.stored;
        return ended(run) ? run.state : undefined;
      } catch (error) {
        if (!(error instanceof Conflict)) throw error;
        Object.assign(run, await this.#record.load(run.id)); // cancelled meanwhile, or taken over
        await this.#correct(run); // what was refused may show already
      }
    }
    this.#record.flush(run);
    await run.stored;
    return undefined;
  }

  async #step(run: Run) {
    const { saga, state } = run;
    if (state.cancelled && cancellable(saga, state)) {
      return this.#record.append(run, [{ type: "UndoBegun", reason: state.reason ?? "cancelled", code: "CANCELLED" }]);
    }
    const step = nextStep(saga, state);
    if (!step) return this.#record.append(run, [{ type: "SagaEnded", outcome: "undone" }]);
    if (state.status === "undoing") {
      await run.stored; // another process may have carried the saga through: only what the record gave up may be undone
      await this.#until(run, step, () =>
        this.#call(run, step, step.undo!(state.input as never, state.reason ?? "", state.code ?? ""), "undo"),
      );
      const events: SagaEvent[] = [{ type: "StepUndone", step: step.name }];
      if (!nextStep(saga, events.reduce(sagaModel.evolve, state))) events.push({ type: "SagaEnded", outcome: "undone" });
      return this.#record.append(run, events);
    }
    if (!step.undo && undoable(saga, state)) {
      this.#record.flush(run); // from here on no cancellation is taken, so what was taken before must be known
      await run.stored;
    }
    const outcome = await this.#until(run, step, () => this.#call(run, step, step.do!(state.input as never, state.results), "do"));
    if (outcome.refusal) return this.#record.append(run, [{ type: "UndoBegun", ...outcome.refusal }]);
    const result = step.keep?.(outcome.answer as never);
    const events: SagaEvent[] = [{ type: "StepDone", step: step.name, ...(result !== undefined && { result }) }];
    if (step === saga.steps.at(-1)) events.push({ type: "SagaEnded", outcome: "completed" });
    this.#record.note(run, events);
  }

  /** Tries until the step is done, or is refused while the saga can still be undone. */
  async #until(
    run: Run,
    step: Step<never>,
    attempt: () => Promise<unknown>,
  ): Promise<{ answer?: unknown; refusal?: { reason: string; code: string } }> {
    const revocable = run.state.status === "running" && undoable(run.saga, run.state);
    for (let tries = 1; ; tries++) {
      try {
        return { answer: await attempt() };
      } catch (error) {
        const { message, type, code = 500, retryable } = error as { message: string; type?: string; code?: number; retryable?: boolean };
        const refused = code >= 400 && code < 500 && !retryable; // a room that is not there, or has too much to do, is a 4xx too
        if (revocable && refused) return { refusal: { reason: message, code: type ?? "REFUSED" } };
        if (revocable && step.undo && tries >= (step.retry ?? TRIES)) return { refusal: { reason: message, code: type ?? "FAILED" } };
        if (tries === 1) this.#record.flush(run); // it takes longer: what is done so far should show
        if (tries === TRIES) {
          this.#logger.error({ event: "saga.stuck", saga: run.id, name: run.saga.name, step: step.name, error: message });
          this.#record.append(run, [{ type: "StepStuck", step: step.name, error: message }]);
        }
        await this.#pause(run, Math.min(LONGEST, BACKOFF * 2 ** (tries - 1)) * (0.5 + Math.random() / 2));
        if (this.#stopped) throw error;
        if (tries >= TRIES) await run.stored; // somebody may have cancelled it, or taken it over
      }
    }
  }

  #call(run: Run, step: Step<never>, { action, params }: { action: string; params: object }, way: string): Promise<unknown> {
    const { by, request, occurredAt } = run.origin;
    const meta: Meta = {
      idempotencyKey: `${run.id}:${step.name}:${way}`,
      ownKey: true,
      cause: run.id,
      occurredAt,
      ...(by && { user: { id: by, roles: [] } }),
    };
    return this.#broker.call(action, params, { meta, timeout: step.timeout ?? TIMEOUT, ...(request && { requestID: request }) });
  }

  async #pause(run: Run, time: number) {
    let timer: NodeJS.Timeout | undefined;
    const hurried = new Promise<void>((resolve) => {
      run.hurry = resolve;
      timer = setTimeout(resolve, time);
    });
    await Promise.race([hurried, this.#stopping.promise]);
    clearTimeout(timer);
  }
}
