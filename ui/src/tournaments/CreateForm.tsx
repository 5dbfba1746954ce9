/** A new tournament. Times left alone follow the server's clock: it starts now and ends in 60 s. */
import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { newIdempotencyKey } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import { serverNowMs, serverTime } from "../clock.ts";
import { games } from "../games/games.ts";
import { PlayerField } from "../session/PlayerField.tsx";
import { player } from "../session/session.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import { goTo } from "../shell/route.ts";
import { check, type Draft, EMPTY_DRAFT, type Field, toRequest, withTimes } from "./draft.ts";
import { createTournament } from "./tournaments.ts";

const INPUT_KINDS = {
  text: { type: "text" },
  number: { type: "number", step: "1" },
  /** With a step of one second the input shows seconds. */
  time: { type: "datetime-local", step: "1" },
} as const;

export function CreateForm() {
  const form = useCreateForm();
  const { draft, wrong, problem, busy } = form;
  const username = player.value;
  if (username === null) {
    return (
      <p class="empty">Creating takes a player: populate the demo data on the Live tab first.</p>
    );
  }
  const filled = withTimes(withGame(draft.value), serverNowMs.value);
  const field = (name: Field) => ({
    name,
    value: filled[name],
    wrong: wrong.value.get(name),
    draft,
  });

  return (
    <form
      class="create"
      noValidate
      aria-labelledby="create-title"
      data-testid="create-form"
      onSubmit={(event) => {
        event.preventDefault();
        void form.submit(username, event.currentTarget);
      }}
    >
      <h2 id="create-title">Create Tournament</h2>
      <TextField {...field("name")} label="Name" kind="text" />
      <GameField {...field("game_id")} />
      <TextField {...field("max_participants")} label="Players at most" kind="number" />
      <TextField {...field("prize_pool")} label="Prize pool" kind="number">
        Split 50, 30 and 20 percent over the first three.
      </TextField>
      <TextField {...field("start_time")} label="Start" kind="time">
        {draft.value.start_time === "" ? "Now, unless you change it." : null}
      </TextField>
      <TextField {...field("end_time")} label="End" kind="time">
        {draft.value.end_time === "" ? "60 seconds after the start, unless you change it." : null}
      </TextField>
      <PlayerField label="Created by" testId="create-as" />
      <button
        type="submit"
        class="button primary"
        disabled={busy.value}
        data-testid="create-submit"
      >
        {busy.value ? "Creating" : "Create Tournament"}
      </button>
      {problem.value && <ProblemView problem={problem.value} />}
    </form>
  );
}

function useCreateForm() {
  const draft = useSignal<Draft>({ ...EMPTY_DRAFT, name: "Evening cup" });
  const wrong = useSignal<ReadonlyMap<string, string>>(new Map());
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const attempt = useRef({ what: "", key: "" });

  const submit = async (username: string, form: HTMLFormElement) => {
    const filled = withTimes(withGame(draft.value), serverTime());
    problem.value = null;
    wrong.value = check(filled, serverTime());
    if (wrong.value.size > 0) {
      focusFirst(form, wrong.value);
      return;
    }
    const request = toRequest(filled);
    const what = `${username} ${JSON.stringify(request)}`;
    if (attempt.current.what !== what) attempt.current = { what, key: newIdempotencyKey() };
    busy.value = true;
    try {
      const { id } = await createTournament(username, request, attempt.current.key);
      goTo({ tab: "tournaments", open: "one", id });
    } catch (cause) {
      const caught = asProblem(cause);
      problem.value = caught;
      wrong.value = caught.fields;
      focusFirst(form, caught.fields);
    }
    busy.value = false;
  };

  return { draft, wrong, problem, busy, submit };
}

interface FieldProps {
  name: Field;
  value: string;
  wrong: string | undefined;
  draft: Signal<Draft>;
}

function TextField(
  props: FieldProps & {
    label: string;
    kind: keyof typeof INPUT_KINDS;
    children?: ComponentChildren;
  },
) {
  const { name, value, wrong, draft, label, kind, children } = props;
  /** While one types, a time that follows the clock must not be written over. */
  const typed = useRef<string | null>(null);
  return (
    <div class="field">
      <label for={`create-${name}`}>{label}</label>
      <input
        id={`create-${name}`}
        name={name}
        {...INPUT_KINDS[kind]}
        value={typed.current ?? value}
        aria-invalid={wrong !== undefined}
        aria-describedby={`create-${name}-note`}
        data-testid={`create-${name}`}
        onFocus={() => {
          typed.current = value;
        }}
        onBlur={() => {
          typed.current = null;
        }}
        onInput={(event) => {
          typed.current = event.currentTarget.value;
          draft.value = { ...draft.value, [name]: typed.current };
        }}
      />
      <FieldNote name={name} wrong={wrong}>
        {children}
      </FieldNote>
    </div>
  );
}

function GameField({ name, value, wrong, draft }: FieldProps) {
  return (
    <div class="field">
      <label for="create-game_id">Game</label>
      <select
        id="create-game_id"
        name={name}
        value={value}
        aria-invalid={wrong !== undefined}
        aria-describedby="create-game_id-note"
        data-testid="create-game_id"
        onChange={(event) => {
          draft.value = { ...draft.value, game_id: event.currentTarget.value };
        }}
      >
        {(games.data.value ?? []).map(({ id, title }) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
      <FieldNote name={name} wrong={wrong} />
    </div>
  );
}

interface NoteProps {
  name: Field;
  wrong: string | undefined;
  children?: ComponentChildren;
}

function FieldNote({ name, wrong, children }: NoteProps) {
  return (
    <p
      id={`create-${name}-note`}
      class={wrong ? "field-wrong" : "field-note"}
      data-testid={wrong ? `create-${name}-error` : undefined}
    >
      {wrong ?? children}
    </p>
  );
}

/** Until one chooses, the first game is meant. */
function withGame(draft: Draft): Draft {
  return { ...draft, game_id: draft.game_id || (games.data.value?.[0]?.id ?? "") };
}

function focusFirst(form: HTMLFormElement, wrong: ReadonlyMap<string, string>): void {
  for (const element of form.elements) {
    const name = element.getAttribute("name");
    if (element instanceof HTMLElement && name !== null && wrong.has(name)) {
      element.focus();
      return;
    }
  }
}
