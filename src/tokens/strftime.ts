const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/**
 * Python's `strftime` in the C locale and local time, for what chat templates write: `%Y %y %m %d %e %b %h %B %a %A %H %I %p %M
 * %S %j %F %T %D %%`, and `%-d` without the leading zero. What it does not know stays as it is.
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)([A-Za-z%])/g, (written, dash: string, letter: string) => {
    const text = piece(date, letter);
    if (text === undefined) return written;
    return dash === "-" ? text.replace(/^[0 ]+(?=.)/, "") : text;
  });
}

function piece(date: Date, letter: string): string | undefined {
  const two = (value: number) => String(value).padStart(2, "0");
  const month = MONTHS[date.getMonth()] ?? "";
  const day = DAYS[date.getDay()] ?? "";
  switch (letter) {
    case "Y":
      return String(date.getFullYear());
    case "y":
      return two(date.getFullYear() % 100);
    case "m":
      return two(date.getMonth() + 1);
    case "d":
      return two(date.getDate());
    case "e":
      return String(date.getDate()).padStart(2, " ");
    case "B":
      return month;
    case "b":
    case "h":
      return month.slice(0, 3);
    case "A":
      return day;
    case "a":
      return day.slice(0, 3);
    case "H":
      return two(date.getHours());
    case "I":
      return two(date.getHours() % 12 === 0 ? 12 : date.getHours() % 12);
    case "p":
      return date.getHours() < 12 ? "AM" : "PM";
    case "M":
      return two(date.getMinutes());
    case "S":
      return two(date.getSeconds());
    case "j":
      return String(dayOfYear(date)).padStart(3, "0");
    case "F":
      return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    case "T":
      return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    case "D":
      return `${two(date.getMonth() + 1)}/${two(date.getDate())}/${two(date.getFullYear() % 100)}`;
    case "%":
      return "%";
    default:
      return undefined;
  }
}

/** From 1. Counted in days of the calendar, which a change to summer time does not shorten. */
function dayOfYear(date: Date): number {
  const day = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return (day - Date.UTC(date.getFullYear(), 0, 0)) / 86_400_000;
}
