/** A failed call as its user needs it: what, why, the code and trace to quote, and one way on. */
import { useSignal } from "@preact/signals";
import type { Problem } from "../api/problem.ts";

interface Props {
  problem: Problem;
  onRetry?: (() => void) | undefined;
}

export function ProblemView({ problem, onRetry }: Props) {
  return (
    <div class="problem" role="alert" data-testid="problem">
      <p class="problem-title" data-testid="problem-title">
        {problem.title}
      </p>
      {problem.detail !== "" && <p data-testid="problem-detail">{problem.detail}</p>}
      {problem.retryAfterS !== null && <p>Try again in {problem.retryAfterS} s.</p>}
      <p class="problem-marks">
        <span>
          Code <code data-testid="problem-code">{problem.code}</code>
        </span>
        {problem.traceId !== null && <TraceId traceId={problem.traceId} />}
      </p>
      {onRetry && (
        <button type="button" class="button" data-testid="problem-retry" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

function TraceId({ traceId }: { traceId: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(traceId);
    copied.value = navigator.clipboard !== undefined;
  };
  return (
    <span>
      Trace <code data-testid="problem-trace-id">{traceId}</code>{" "}
      <button type="button" class="link" onClick={() => void copy()}>
        {copied.value ? "copied" : "copy"}
      </button>
    </span>
  );
}
