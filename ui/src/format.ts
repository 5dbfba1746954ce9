/** Numbers and times as a person reads them. Pure: the time is always an argument. */

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clockTime = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function formatCount(value: number): string {
  return grouped.format(value);
}

/** `2041 points`, `1:02.345` for milliseconds: a time trial reads as a time. */
export function formatScore(score: number, unit?: string): string {
  if (unit === "ms" || unit === "milliseconds") return formatMilliseconds(score);
  return grouped.format(score);
}

/** What the column of scores is headed with. */
export function scoreHeading(unit?: string): string {
  if (unit === "ms" || unit === "milliseconds") return "Time";
  return unit ? `Score, ${unit}` : "Score";
}

function formatMilliseconds(value: number): string {
  const sign = value < 0 ? "-" : "";
  const total = Math.abs(value);
  const minutes = Math.floor(total / 60_000);
  const seconds = Math.floor((total % 60_000) / 1000);
  const rest = String(total % 1000).padStart(3, "0");
  if (minutes === 0) return `${sign}${seconds}.${rest} s`;
  return `${sign}${minutes}:${String(seconds).padStart(2, "0")}.${rest}`;
}

/** `0:45`, `12:05`, `3:00:00`, `2 d 3 h`: time that is left, rounded up so that it ends at 0:00. */
export function formatCountdown(leftMs: number): string {
  const seconds = Math.max(0, Math.ceil(leftMs / 1000));
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  const two = (value: number) => String(value).padStart(2, "0");
  if (hours > 0) return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}`;
}

/** `4 s`, `5 min`, `3 h`, `2 d`: how long something takes or took, in its largest unit. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function formatClock(iso: string): string {
  return clockTime.format(new Date(iso));
}

export function formatDay(iso: string): string {
  return dayAndTime.format(new Date(iso));
}

export interface RankChange {
  /** What the eye gets: `▲ 3`. */
  sign: string;
  /** What the ear gets: `up 3`. */
  words: string;
  direction: "up" | "down" | "new" | "same";
}

/** A rank is 1-based and smaller is better, so from 5 to 2 is up 3. */
export function describeRankChange(before: number | null, after: number | null): RankChange {
  if (after === null) return { sign: "", words: "", direction: "same" };
  if (before === null) return { sign: "new", words: "new", direction: "new" };
  const gained = before - after;
  if (gained > 0) return { sign: `▲ ${gained}`, words: `up ${gained}`, direction: "up" };
  if (gained < 0) return { sign: `▼ ${-gained}`, words: `down ${-gained}`, direction: "down" };
  return { sign: "=", words: "no change", direction: "same" };
}

/** A date for `<input type="datetime-local" step="1">`: local time without an offset. */
export function toLocalInput(timeMs: number): string {
  const date = new Date(timeMs);
  return new Date(timeMs - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** The time such an input means, or NaN when it is empty or half typed. */
export function fromLocalInput(value: string): number {
  return value === "" ? Number.NaN : new Date(value).getTime();
}
