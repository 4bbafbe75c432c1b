"""The inference endpoint as OpenAI's own client sees it."""
import asyncio
import math
import time
import urllib.request
from importlib.metadata import version

import openai
from checks import Report
from tic_tac_toe import BOARD, MOVE

report = Report()
nim = report.job["url"] + "/nim/v1"
client = openai.OpenAI(base_url=nim, api_key="local", max_retries=0, timeout=60)
MODEL = report.job["model"]
ask = {"model": MODEL, "messages": BOARD, "max_tokens": 64}


def models(check):
    listed = list(client.models.list())
    check.true("the base model is listed", MODEL in [each.id for each in listed], listed)
    one = next(each for each in listed if each.id == MODEL)
    check.equal("retrieve", client.models.retrieve(MODEL).id, MODEL)
    check.raises("retrieve what is not there", openai.NotFoundError, lambda: client.models.retrieve("no/such"))
    check.equal("as a model", (one.object, isinstance(one.created, int), bool(one.owned_by)), ("model", True, True))


def chat(check):
    got = client.chat.completions.create(**ask, temperature=0)
    (choice,) = got.choices
    check.true("a move", MOVE.fullmatch(choice.message.content), choice)
    check.equal("role and end", (choice.message.role, choice.finish_reason, choice.index), ("assistant", "stop", 0))
    check.equal("kind", (got.object, got.model, got.id.startswith("chatcmpl-")), ("chat.completion", MODEL, True))
    usage = got.usage
    check.equal("usage", usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
    check.true("tokens are counted", usage.prompt_tokens > 5 and usage.completion_tokens >= 4, usage)
    check.equal("greedy is the same again", client.chat.completions.create(**ask, temperature=0).choices[0].message.content, choice.message.content)
    many = [client.chat.completions.create(**ask, temperature=1, seed=n).choices[0].message.content for n in range(12)]
    check.true("seeds differ", len(set(many)) > 2, many)
    again = [client.chat.completions.create(**ask, temperature=1, seed=n).choices[0].message.content for n in range(12)]
    check.equal("a seed decides", again, many)
    narrow = [client.chat.completions.create(**ask, temperature=1, top_p=0.01, seed=n).choices[0].message.content for n in range(6)]
    check.equal("top_p near 0 is greedy", set(narrow), {choice.message.content})
    several = client.chat.completions.create(**ask, temperature=1, n=5, seed=3)
    check.equal("n", [each.index for each in several.choices], [0, 1, 2, 3, 4])
    check.true("n differ", len({each.message.content for each in several.choices}) > 1, several.choices)
    check.true("usage counts all of them", several.usage.completion_tokens >= 5 * 4, several.usage)
    short = client.chat.completions.create(**{**ask, "max_tokens": 2}, temperature=0)
    check.equal("max_tokens", (short.choices[0].finish_reason, short.usage.completion_tokens), ("length", 2))
    short = client.chat.completions.create(model=MODEL, messages=BOARD, max_completion_tokens=2, temperature=0)
    check.equal("max_completion_tokens", short.choices[0].finish_reason, "length")
    stopped = client.chat.completions.create(**ask, temperature=0, stop="</row>")
    check.equal("stop", (stopped.choices[0].message.content, stopped.choices[0].finish_reason), (choice.message.content.split("</row>")[0], "stop"))
    stopped = client.chat.completions.create(**ask, temperature=0, stop=["nothing", "<col>", "</col>"])
    check.equal("several stops", stopped.choices[0].message.content, choice.message.content.split("<col>")[0])
    check.true("unknown fields", client.chat.completions.create(**ask, extra_body={"nvext": {"x": 1}, "ignore_eos": False}).choices)


def logprobs(check):
    got = client.chat.completions.create(**ask, temperature=0, logprobs=True, top_logprobs=3)
    content = got.choices[0].logprobs.content
    # The token that ends a reply may be told, too.
    said = "".join(each.token for each in content)
    check.true("tokens make the text", said.startswith(got.choices[0].message.content), said)
    check.true("logarithms of chances", all(each.logprob <= 0 for each in content), content)
    check.true("three others each", all(len(each.top_logprobs) == 3 for each in content), content)
    check.true("greedy takes the first", all(each.top_logprobs[0].token == each.token for each in content), content)
    check.true("in order", all(each.top_logprobs[0].logprob >= each.top_logprobs[1].logprob >= each.top_logprobs[2].logprob for each in content))
    check.true("no more than all", all(sum(math.exp(top.logprob) for top in each.top_logprobs) < 1.0001 for each in content))
    check.equal("bytes", bytes(content[0].bytes).decode(), content[0].token)
    check.equal("none without asking", client.chat.completions.create(**ask, temperature=0).choices[0].logprobs, None)
    only = client.chat.completions.create(**ask, temperature=0, logprobs=True)
    check.equal("of the chosen ones only", [each.logprob for each in only.choices[0].logprobs.content], [each.logprob for each in content])


def stream(check):
    whole = client.chat.completions.create(**ask, temperature=1, seed=5).choices[0]
    chunks = list(client.chat.completions.create(**ask, temperature=1, seed=5, stream=True))
    check.equal("kind", {each.object for each in chunks}, {"chat.completion.chunk"})
    check.equal("one id", len({each.id for each in chunks}), 1)
    check.equal("it begins with the role", chunks[0].choices[0].delta.role, "assistant")
    check.equal("together the same text", "".join(each.choices[0].delta.content or "" for each in chunks), whole.message.content)
    check.true("in several pieces", len(chunks) > 3, chunks)
    ends = [each.choices[0].finish_reason for each in chunks]
    check.equal("one end, the last", (ends[-1], [end for end in ends if end]), (whole.finish_reason, [whole.finish_reason]))
    chunks = list(client.chat.completions.create(**ask, temperature=0, stream=True, stream_options={"include_usage": True}))
    check.equal("usage comes last", (chunks[-1].choices, chunks[-1].usage.total_tokens > 0), ([], True))
    check.equal("and only there", [each for each in chunks[:-1] if each.usage], [])
    texts = {}
    for chunk in client.chat.completions.create(**ask, temperature=1, seed=3, n=3, stream=True):
        for each in chunk.choices:
            texts[each.index] = texts.get(each.index, "") + (each.delta.content or "")
    apart = client.chat.completions.create(**ask, temperature=1, seed=3, n=3)
    check.equal("n at once", texts, {each.index: each.message.content for each in apart.choices})
    chunks = list(client.chat.completions.create(**ask, temperature=0, stop="</row>", stream=True))
    check.true("nothing of a stop is shown", "</row>" not in "".join(each.choices[0].delta.content or "" for each in chunks))
    chunks = list(client.chat.completions.create(**ask, temperature=0, logprobs=True, stream=True))
    check.true("logprobs", sum(len(each.choices[0].logprobs.content) for each in chunks if each.choices and each.choices[0].logprobs and each.choices[0].logprobs.content) >= 4, chunks)


def completions(check):
    prompt = "<|begin|><|system|>You play X in tic-tac-toe. Reply with one move as XML.<|user|>  1 2 3\n1 _ _ _\n2 _ _ _\n3 _ _ _\n<|assistant|>"
    got = client.completions.create(model=MODEL, prompt=prompt, max_tokens=64, temperature=0)
    check.true("a move", MOVE.fullmatch(got.choices[0].text), got)
    check.equal("kind", (got.object, got.id.startswith("cmpl-"), got.choices[0].finish_reason), ("text_completion", True, "stop"))
    chunks = list(client.completions.create(model=MODEL, prompt=prompt, max_tokens=64, temperature=0, stream=True))
    check.equal("stream", "".join(each.choices[0].text for each in chunks if each.choices), got.choices[0].text)
    told = client.completions.create(model=MODEL, prompt=prompt, max_tokens=64, temperature=0, logprobs=2).choices[0].logprobs
    check.equal("logprobs", ("".join(told.tokens).startswith(got.choices[0].text), len(told.token_logprobs), len(told.text_offset)),
                (True, len(told.tokens), len(told.tokens)))
    check.true("the best two", all(len(each) >= 2 for each in told.top_logprobs), told)


def errors(check):
    def fails(what, kind, **given):
        error = check.raises(what, kind, lambda: client.chat.completions.create(**{**ask, **given}))
        check.true(f"{what}: says why", error is not None and len(error.body.get("message") or "") > 10, getattr(error, "body", None))
        return error

    error = fails("an unknown model", openai.NotFoundError, model="no/such-model")
    check.true("by its name", "no/such-model" in str(error), error)
    fails("no messages", openai.BadRequestError, messages=[])
    fails("a role that is none", openai.BadRequestError, messages=[{"role": "wizard", "content": "x"}])
    fails("a temperature that is none", openai.BadRequestError, temperature=-1)
    fails("n of none", openai.BadRequestError, n=0)
    fails("tools", openai.BadRequestError, tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}])
    fails("a prompt longer than the model takes", openai.BadRequestError, messages=[{"role": "user", "content": "word " * 5000}])
    check.true("after all that it still answers", client.chat.completions.create(**ask).choices)


def without_token(check):
    address = report.job["guarded_url"] + "/nim/v1"
    check.raises("a wrong token", openai.AuthenticationError,
                 lambda: openai.OpenAI(base_url=address, api_key="wrong", max_retries=0).chat.completions.create(**ask))
    check.raises("for the list, too", openai.AuthenticationError, lambda: list(openai.OpenAI(base_url=address, api_key="wrong", max_retries=0).models.list()))
    right = openai.OpenAI(base_url=address, api_key=report.job["token"], max_retries=0)
    check.true("the right one", MOVE.fullmatch(right.chat.completions.create(**ask, temperature=0).choices[0].message.content))


def busy():
    """Candidates that run or wait, as Prometheus is told."""
    text = urllib.request.urlopen(report.job["url"] + "/metrics").read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(("pairwright_model_running{", "pairwright_model_waiting{")))


def abort(check):
    for n in range(20):
        with client.chat.completions.create(**{**ask, "max_tokens": 400}, temperature=1.5, seed=n, stream=True) as response:
            for _ in response:
                break
    check.true("after 20 left streams it answers", client.chat.completions.create(**ask, temperature=0).choices)

    async def leave():
        async with openai.AsyncOpenAI(base_url=nim, api_key="local", max_retries=0) as other:
            # Hot enough that few of them would end by themselves.
            asked = [asyncio.ensure_future(other.completions.create(model=MODEL, prompt="<move>", max_tokens=400, temperature=2, n=8)) for _ in range(64)]
            seen, until = 0, time.monotonic() + 10
            while seen < 256 and time.monotonic() < until:
                await asyncio.sleep(0.02)
                seen = busy()
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            left = time.monotonic()
            while busy() > 0 and time.monotonic() < left + 10:
                await asyncio.sleep(0.02)
            return seen, busy(), time.monotonic() - left

    seen, still, took = asyncio.run(leave())
    check.true("512 candidates are asked for", seen >= 256, seen)
    check.true("and none is made when nobody wants it", still == 0 and took < 2, (still, took))


def many_at_once(check):
    want = [client.chat.completions.create(**ask, temperature=1, seed=n).choices[0].message.content for n in range(64)]

    async def together():
        async with openai.AsyncOpenAI(base_url=nim, api_key="local", max_retries=0, timeout=60) as other:
            got = await asyncio.gather(*(other.chat.completions.create(**ask, temperature=1, seed=n) for n in range(64)))
            return [each.choices[0].message.content for each in got]

    check.equal("64 at once are what they are one by one", asyncio.run(together()), want)


def too_many(check):
    crowded = {"base_url": report.job["small_url"] + "/nim/v1", "api_key": "local", "timeout": 120}

    async def flood():
        async with openai.AsyncOpenAI(**crowded, max_retries=0) as other:
            asked = (other.chat.completions.create(**ask, temperature=2, n=8, seed=n) for n in range(report.job["flood"]))
            return await asyncio.gather(*asked, return_exceptions=True)

    done = asyncio.run(flood())
    refused = [each for each in done if isinstance(each, openai.RateLimitError)]
    others = [each for each in done if isinstance(each, Exception) and not isinstance(each, openai.RateLimitError)]
    check.true("some are refused", len(refused) > 0, f"{len(done)} answered")
    check.true("some are not", len(refused) < len(done), len(refused))
    check.equal("nothing else goes wrong", others[:3], [])
    check.true("Retry-After", all(int(each.response.headers["retry-after"]) >= 1 for each in refused), refused[:1])
    patient = openai.OpenAI(**crowded, max_retries=5)
    check.true("a client that tries again gets its answer", patient.chat.completions.create(**ask, temperature=0).choices)


report.run("models", models)
report.run("chat", chat)
report.run("logprobs", logprobs)
report.run("stream", stream)
report.run("completions", completions)
report.run("errors", errors)
report.run("a platform with a token", without_token)
report.run("clients that leave", abort)
report.run("many at once", many_at_once)
report.run("too many at once", too_many)
report.write({"openai": version("openai")})
