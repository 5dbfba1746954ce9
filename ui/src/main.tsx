/** Starts the page's few long-lived parts, then renders. */
import { effect } from "@preact/signals";
import { render } from "preact";
import { startClock } from "./clock.ts";
import { loadPopulate } from "./demo/populate.ts";
import { loadSimulation } from "./demo/simulation.ts";
import { games } from "./games/games.ts";
import { chip, live } from "./live/live.ts";
import { App } from "./shell/App.tsx";
import { startRouting } from "./shell/route.ts";
import { startTheme } from "./shell/theme.ts";
import { list, startTournaments } from "./tournaments/tournaments.ts";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/controls.css";
import "./styles/live.css";
import "./styles/tournaments.css";

startTheme();
startClock();
startRouting();
startTournaments();
live.socket.start();
void games.load();
void loadPopulate();
void loadSimulation();

/** What failed while the server was away is asked for again when it is back. */
let wasLive = false;
effect(() => {
  const isLive = chip.value.state === "live";
  if (isLive && !wasLive) {
    games.loadIfFailed();
    list.loadIfFailed();
    void loadPopulate();
    void loadSimulation();
  }
  wasLive = isLive;
});

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
