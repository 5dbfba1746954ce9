/** The picker of demo users. Wherever it stands, it shows and sets the one acting player. */
import { demoUsers, playAs, player } from "./session.ts";

interface Props {
  label: string;
  testId: string;
  inline?: boolean;
}

export function PlayerField({ label, testId, inline = false }: Props) {
  if (demoUsers.value.length === 0) return null;
  return (
    <label class={inline ? "field-inline" : "field"}>
      <span>{label}</span>
      <select
        data-testid={testId}
        value={player.value ?? ""}
        onChange={(event) => playAs(event.currentTarget.value)}
      >
        {demoUsers.value.map((username) => (
          <option key={username} value={username}>
            {username}
          </option>
        ))}
      </select>
    </label>
  );
}
