/** The two tabs. They are links, so each opens in a new window; arrow keys move between them. */
import { hrefOf, type Route, route } from "./route.ts";

const TABS: { tab: Route["tab"]; title: string; target: Route }[] = [
  { tab: "live", title: "Live", target: { tab: "live", board: "global" } },
  { tab: "tournaments", title: "Tournaments", target: { tab: "tournaments", open: "none" } },
];

export function Tabs() {
  const { tab: current } = route.value;
  return (
    <div class="tabs" role="tablist" aria-label="Pages" onKeyDown={moveFocus}>
      {TABS.map(({ tab, title, target }) => (
        <a
          key={tab}
          id={`tab-${tab}`}
          class="tab"
          role="tab"
          href={hrefOf(target)}
          aria-selected={tab === current}
          aria-controls="panel"
          tabIndex={tab === current ? 0 : -1}
          data-testid={`tab-${tab}`}
        >
          {title}
        </a>
      ))}
    </div>
  );
}

function moveFocus(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const tabs = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=tab]")];
  const index = tabs.indexOf(document.activeElement as HTMLElement);
  const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };
  const step = steps[event.key];
  if (event.key === " ") tabs[index]?.click();
  else if (step !== undefined) tabs.at((index + step) % tabs.length)?.focus();
  else return;
  event.preventDefault();
}
