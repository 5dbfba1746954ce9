/** The Tournaments tab: the list, and beside it one tournament or the form for a new one. */
import { useEffect, useRef } from "preact/hooks";
import { ProblemView } from "../shell/ProblemView.tsx";
import { hrefOf, type Route } from "../shell/route.ts";
import { CreateForm } from "./CreateForm.tsx";
import { TournamentDetail } from "./TournamentDetail.tsx";
import { TournamentList } from "./TournamentList.tsx";
import { list, sorted } from "./tournaments.ts";

type Open = Extract<Route, { tab: "tournaments" }>;

const LIST = hrefOf({ tab: "tournaments", open: "none" });
const NEW = hrefOf({ tab: "tournaments", open: "new" });

export function TournamentsPage({ open }: { open: Open }) {
  useEffect(() => list.loadIfFailed(), []);
  const opened = useFocusWhenLost(hrefOf(open));
  return (
    <div class="tournaments" data-open={open.open}>
      <section class="tournaments-list" aria-labelledby="tournaments-title">
        <div class="section-head">
          <h2 id="tournaments-title">Tournaments</h2>
          {sorted.value.length > 0 && <CreateLink />}
        </div>
        <ListOrNot openId={open.open === "one" ? open.id : null} />
      </section>
      {open.open !== "none" && (
        <section class="tournaments-open" tabIndex={-1} ref={opened}>
          <a class="back" href={LIST}>
            All tournaments
          </a>
          {open.open === "new" ? <CreateForm /> : <TournamentDetail key={open.id} id={open.id} />}
        </section>
      )}
    </div>
  );
}

/** What was focused may be gone from the page: then the focus goes to what was opened. */
function useFocusWhenLost(place: string) {
  const opened = useRef<HTMLElement>(null);
  const before = useRef(place);
  useEffect(() => {
    const moved = before.current !== place;
    before.current = place;
    const { activeElement } = document;
    const lost = activeElement === document.body || activeElement?.checkVisibility() === false;
    if (moved && lost) opened.current?.focus();
  }, [place]);
  return opened;
}

function ListOrNot({ openId }: { openId: string | null }) {
  const problem = list.problem.value;
  if (sorted.value.length > 0) return <TournamentList openId={openId} />;
  if (problem) return <ProblemView problem={problem} onRetry={() => void list.load()} />;
  if (list.data.value === null) return <p class="empty">Loading tournaments</p>;
  return (
    <div class="empty" data-testid="tournaments-empty">
      <p>No tournament yet. A first one may start now and end in a minute.</p>
      <CreateLink />
    </div>
  );
}

function CreateLink() {
  return (
    <a class="button primary" href={NEW} data-testid="create-tournament">
      Create Tournament
    </a>
  );
}
