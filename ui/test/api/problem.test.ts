/** Whatever goes wrong with a call ends in one shape. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asProblem, fieldErrors, problemFromAnswer, unreachable } from "../../src/api/problem.ts";

test("a problem document is taken as it is, with its fields and its wait", () => {
  const document = {
    type: "about:blank",
    title: "The tournament is full",
    status: 409,
    detail: "Every place is taken.",
    code: "tournament_full",
    errors: [{ pointer: "/body/tournament_id", detail: "is full" }],
    trace_id: "4bf92f",
  };
  const problem = problemFromAnswer(409, JSON.stringify(document), "3");
  assert.equal(problem.title, "The tournament is full");
  assert.equal(problem.code, "tournament_full");
  assert.equal(problem.traceId, "4bf92f");
  assert.equal(problem.retryAfterS, 3);
  assert.equal(problem.fields.get("tournament_id"), "is full");
});

test("an answer that explains nothing still names its status", () => {
  for (const text of ["", "<html>", "[]", '{"detail":"x"}']) {
    const problem = problemFromAnswer(502, text, null);
    assert.equal(problem.code, "http_502");
    assert.equal(problem.retryAfterS, null);
  }
});

test("pointers of every common form name the field", () => {
  const errors = ["/end_time", "#/end_time", "/body/end_time", "end_time"];
  for (const pointer of errors) {
    assert.deepEqual([...fieldErrors([{ pointer, detail: "is past" }])], [["end_time", "is past"]]);
  }
});

test("no answer and a late one are told apart; a problem stays itself", () => {
  assert.equal(unreachable(new TypeError("Failed to fetch")).code, "unreachable");
  const late = unreachable(new DOMException("", "TimeoutError"));
  assert.equal(late.code, "timeout");
  assert.equal(asProblem(late), late);
  assert.equal(asProblem(new Error("oops")).code, "page_error");
});
