import assert from "node:assert/strict";
import { test } from "node:test";
import { folder, run, startSystem } from "../support/system.ts";
import { openDeal } from "../support/trade.ts";

const replay = (data: string, ...args: string[]) => run(["mixins/runtime/replay.command.ts", ...args], { DATA_DIR: data });

test("a room's events are sent again while the system serves: views are made anew, effects follow again", async (t) => {
  const data = folder(t);
  const system = await startSystem(t, { DATA_DIR: data });
  for (let n = 0; n < 3; n++) assert.ok(await openDeal(system.url, `d-${n}`));

  const view = await replay(data, "--room", "deals", "--to", "analytics");
  assert.deepEqual([view.code, view.stderr], [0, ""]);
  assert.match(view.stdout, /^analytics has made \w+ anew\n$/);

  const effects = await replay(data, "--room", "deals", "--to", "deals", "--follower", "sagas", "--from", "2011-01-31T12:00:00Z");
  assert.deepEqual([effects.code, effects.stderr], [0, ""]);
  assert.match(effects.stdout, /^3 commits of 3 streams of deals go to sagas of deals again\n(it .*\n)*all have been taken in\n$/);
  const none = await replay(data, "--room", "deals", "--to", "deals", "--follower", "sagas", "--from", "2999-01-31T12:00:00Z");
  assert.match(none.stdout, /^0 commits of 0 streams/);

  for (const [args, reason] of [
    [["--room", "deals", "--to", "deals"], /several followers of deals, say which by --follower: deals \(of deals\), sagas \(of deals\)/],
    [["--room", "customers", "--to", "analytics"], /analytics has no such follower of customers; it has/],
    [["--room", "deals", "--to", "analytics", "--from", "2011-01-31T12:00:00Z"], /is a view, .*: leave out --from/],
  ] as const) {
    const { code, stdout, stderr } = await replay(data, ...args);
    assert.equal(code, 2);
    assert.match(stderr, reason);
    assert.equal(stderr.split("\n").length, 2, "one line of reason");
    assert.equal(stdout, "");
  }
});

test("what is typed wrong is told before anything is started", async (t) => {
  const data = folder(t);
  for (const [args, reason] of [
    [["--room", "deal", "--to", "analytics"], /^There is no room deal; there are .*deals/],
    [["--room", "deals", "--to", "nobody"], /^There is no room nobody; /],
    [["--room", "deals", "--to", "analytics", "--from", "yesterday"], /^--from must be a moment .* not "yesterday"\n$/],
    [["--room", "deals"], /^--room and --to are needed\n/],
    [["--rom", "deals"], /Unknown option '--rom'/],
  ] as const) {
    const { code, stderr } = await replay(data, ...args);
    assert.equal(code, 2);
    assert.match(stderr, reason);
  }
  const { code, stdout } = await replay(data, "--help");
  assert.equal(code, 0);
  assert.match(stdout, /^npm run events:replay -- --room ROOM/);
});
