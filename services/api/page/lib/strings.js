/* Every word of the page that is shown in more than a heading's place, by name; `{0}` is the first value given.
   Each view has its own file of them beside it and adds them here, so that a translation is one object. */
const WORDS = {
  seconds: "{0} s",
  minutes: "{0} min",
  hours: "{0} h",
  days: "{0} d",
  ago: "{0} ago",

  wall: "Wall",
  review: "Review",
  add: "Add camera",
  system: "System",
  signOut: "Sign out",
  skip: "Skip to content",
  asRole: "{0} ({1})",
  titleCamera: "Camera",
  titleEvent: "Event",
  machine: "As the machine",
  light: "Light",
  dark: "Dark",
  theme: "Theme: {0}",

  stands_pending: "Not taken up yet",
  stands_connecting: "Connecting",
  stands_live: "Live",
  stands_waiting: "Waiting",
  stands_paused: "Paused",
  stands_ended: "Ended",
  stands_failed: "Failed",
  standsNotKnown: "Not known now",
  standsWas: "when it was last read: {0}",

  standsSilent: "No picture from it for {0}",
  standsBehind: "It is looked at {0} late",
  standsNotTakenUp: "No ingest worker has taken it up for {0}",
  standsRetry: "again in {0}",
  standsRetryNow: "tried again now",

  signIn: "Sign in",
  key: "Key",
  keyHint: "It reads afi_… and was shown once when it was made. Of the first one, afterimage up, afterimage demo and make env say where it lies.",
  keyCut: "That is not a whole key.",
  sessionEnded: "The session has ended. Sign in again; you will be where you were.",
  connecting: "Connecting…",

  away: "The API does not answer. What is shown is as it was; it is asked again every few seconds.",
  unreached: "The API does not answer. Try again once it does.",
  store: "The API has lost Redis, where everything is kept. Cameras go on as soon as it is back; it is asked again every few seconds.",
  feedConnecting: "The live feed is interrupted; events that happen now show once it is back.",
  feedFull: "The API has no place for one more listener; events show when the page is read anew.",
  clockOff: "This machine's clock is {0} {1}; times here are the API's.",
  ahead: "ahead",
  behind: "behind",

  loading: "Loading…",
  failed: "That did not work: {0}",
  given: "What you wrote",
  pattern: "{0} is not allowed here.",
  again: "Try again",
  cancel: "Cancel",
  close: "Close",
  save: "Save",
  unsaved: "What is here is not saved. Leave it?",
  leave: "Leave",
  remove: "Remove",
  notFound: "There is no such page.",
  crashed: "This view has failed: {0}. The others are not touched.",
  notLoaded: "This part of the page could not be loaded.",
};

/* Adds a view's words. */
export function addWords(words) {
  Object.assign(WORDS, words);
}

/* The words of a name. */
export function text(name, ...values) {
  const words = WORDS[name];
  if (words === undefined) throw new Error(`no words for ${name}`);
  return words.replace(/\{(\d)\}/g, (_, at) => values[at]);
}
