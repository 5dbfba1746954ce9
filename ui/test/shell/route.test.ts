/** Every place on the page has an address that leads back to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hrefOf, parseRoute, type Route } from "../../src/shell/route.ts";

test("an address and its place are one another's inverse", () => {
  const places: Route[] = [
    { tab: "live", board: "global" },
    { tab: "live", board: "game:space-race" },
    { tab: "tournaments", open: "none" },
    { tab: "tournaments", open: "new" },
    { tab: "tournaments", open: "one", id: "0193-ab cd" },
  ];
  for (const place of places) assert.deepEqual(parseRoute(hrefOf(place)), place);
});

test("what is no address of ours is the global board", () => {
  for (const hash of ["", "#", "#/", "#/nowhere", "#/live", "#/live/game/", "#/live/%E0%A4%A"]) {
    assert.deepEqual(parseRoute(hash), { tab: "live", board: "global" });
  }
});
