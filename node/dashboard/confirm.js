// Asks before something is done that cannot be taken back, or that has several ways.
import { $, make, say } from "./dom.js";
import { showProblem } from "./problem.js";

// choices: [{label, act, kind}]; act may be refused, which is shown here.
export function confirm(title, why, choices) {
  const dialog = $("confirm");
  say($("confirm-title"), title);
  say($("confirm-why"), why);
  showProblem($("confirm-error"), null);
  const button = ({ label, act, kind }) =>
    make(
      "button",
      { type: "button", class: kind, onclick: (event) => perform(event.currentTarget, act, dialog) },
      label,
    );
  const close = make(
    "button",
    { type: "button", autofocus: true, onclick: () => dialog.close() },
    "Never mind",
  );
  $("confirm-choices").replaceChildren(close, ...choices.map(button));
  dialog.showModal();
}

async function perform(button, act, dialog) {
  button.disabled = true;
  try {
    await act();
    dialog.close();
  } catch (error) {
    showProblem($("confirm-error"), error);
    button.disabled = false;
  }
}
