/** The frame around both tabs: name, tabs, connection, who plays. */
import { LivePage } from "../live/LivePage.tsx";
import { PlayerField } from "../session/PlayerField.tsx";
import { TournamentsPage } from "../tournaments/TournamentsPage.tsx";
import { sentence } from "./announce.ts";
import { Connection, PauseButton } from "./Connection.tsx";
import { route } from "./route.ts";
import { Tabs } from "./Tabs.tsx";
import { theme, toggleTheme } from "./theme.ts";

export function App() {
  const place = route.value;
  return (
    <>
      <header class="top">
        <h1 class="brand">palio</h1>
        <Tabs />
        <div class="top-tools">
          <Connection />
          <PauseButton />
          <PlayerField label="Play as" testId="play-as" inline />
          <ThemeToggle />
        </div>
      </header>
      <main>
        <div id="panel" role="tabpanel" aria-labelledby={`tab-${place.tab}`} class="panel">
          {place.tab === "live" ? (
            <LivePage board={place.board} />
          ) : (
            <TournamentsPage open={place} />
          )}
        </div>
      </main>
      <p class="visually-hidden" aria-live="polite" data-testid="announcements">
        {sentence}
      </p>
    </>
  );
}

function ThemeToggle() {
  const other = theme.value === "dark" ? "Light" : "Dark";
  return (
    <button type="button" class="button" data-testid="theme-toggle" onClick={toggleTheme}>
      {other}
      <span class="visually-hidden"> theme</span>
    </button>
  );
}
