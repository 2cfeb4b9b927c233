// Recurrent layers. A step is one matrix product of the hidden state and one kernel with a thread for each unit of each
// sample, which takes the product, squashes the gates, and leaves the states for the next step.

struct Sequence {
    int batch, steps, features, units;
    // Gates of a unit. Those of one kind lie together where `split`, [gates, steps, batch, units]; else those of one
    // sample do, [steps, batch, gates, units].
    int gates, split;
    int backwards, sequences, zero_masked;
    // Numbers of the output for each sample, and where its final states begin among them: -1 if there are none.
    int width, states;
    int activation, recurrent;
    // By how many tensors the hidden state, and the input, are multiplied: none, one, or one for each gate.
    int drops, input_drops;
    // Parts that the gradient of a hidden state comes in through the recurrent kernel.
    int parts;
    const unsigned char* mask;  // [batch, steps]: which timesteps count
    const float* drop;          // [drops, batch, units]
    const float* input_drop;    // [input_drops, batch, features]
    const float* bias;
    float* gates_of;  // of all steps: x * kernel at first, the gates at last
    float* extra;     // [steps, batch, units]: activation(c) of an LSTM, h * U + b of a GRU's candidate
    float* hidden;    // [steps + 1, batch, units], the first being the initial state
    float* carry;     // the same of an LSTM's carry
    float* seen;      // [drops or 1, batch, units]: the hidden state as the gates see it
    float* through;   // the recurrent product of one step, in the gates' order
    float* inner;     // [batch, units]: what goes into the candidate's own product, and what comes of it
    float* out;       // [batch, width]
    // On the way back.
    const float* gradient;  // of the output
    float* rest;            // [batch, units]: of the hidden state after a step, but for what is in `back`
    float* carry_rest;      // the same of the carry
    const float* back;      // [parts, batch, units]: what came through the recurrent kernel
    float* by_input;        // of the input's product at all steps, in the gates' order
    float* by_recurrent;    // of the recurrent one where it is another
    float* now;             // of the recurrent product of one step
};

// Functions in the order of `Nonlinearity`: linear, relu, sigmoid, tanh, hard sigmoid, that of 2017.
__device__ inline float unit_interval(float x) { return x < 0.0f ? 0.0f : (x > 1.0f ? 1.0f : x); }

__device__ inline float squashed(int function, float x) {
    switch (function) {
        case 1: return x < 0.0f ? 0.0f : x;
        case 2: return logistic(x);
        case 3: return tanhf(x);
        case 4: return unit_interval(x / 6.0f + 0.5f);
        case 5: return unit_interval(x * 0.2f + 0.5f);
        default: return x;
    }
}

// The derivative where the function gave y.
__device__ inline float squashed_slope(int function, float y) {
    switch (function) {
        case 1: return y > 0.0f ? 1.0f : 0.0f;
        case 2: return y * (1.0f - y);
        case 3: return 1.0f - y * y;
        case 4: return y > 0.0f && y < 1.0f ? 1.0f / 6.0f : 0.0f;
        case 5: return y > 0.0f && y < 1.0f ? 0.2f : 0.0f;
        default: return 1.0f;
    }
}

// A unit of a sample at a step.
struct Place {
    long long i;  // among [batch, units]
    int step, row, unit;
    bool counts;
};

__device__ inline long long states_of(const Sequence& s) { return (long long)s.batch * s.units; }

__device__ inline int time_of(const Sequence& s, int step) { return s.backwards ? s.steps - 1 - step : step; }

__device__ inline Place place_of(const Sequence& s, long long i, int step) {
    Place at;
    at.i = i;
    at.step = step;
    at.row = (int)(i / s.units);
    at.unit = (int)(i % s.units);
    at.counts = !s.mask || s.mask[(long long)at.row * s.steps + time_of(s, step)];
    return at;
}

__device__ inline long long gate_at(const Sequence& s, int steps, int step, const Place& at, int gate) {
    long long sample = (long long)step * s.batch + at.row;
    return s.split ? ((long long)gate * steps * s.batch + sample) * s.units + at.unit
                   : (sample * s.gates + gate) * s.units + at.unit;
}

// A gate among those of all steps.
__device__ inline long long gate_of(const Sequence& s, const Place& at, int gate) {
    return gate_at(s, s.steps, at.step, at, gate);
}

// A gate among those of one step.
__device__ inline long long gate_now(const Sequence& s, const Place& at, int gate) {
    return gate_at(s, 1, 0, at, gate);
}

__device__ inline float bias_of(const Sequence& s, int row, const Place& at, int gate) {
    return s.bias ? s.bias[((long long)row * s.gates + gate) * s.units + at.unit] : 0.0f;
}

// A hidden state, or its gradient, as this gate sees it.
__device__ inline float dropped(const Sequence& s, int gate, long long i, float value) {
    if (s.drops == 0) return value;
    return value * s.drop[(s.drops > 1 ? gate : 0) * states_of(s) + i];
}

__device__ inline float before(const Sequence& s, const float* states, const Place& at) {
    return states[at.step * states_of(s) + at.i];
}

// Shows a hidden state to the gates of the next step.
__device__ inline void show(const Sequence& s, long long i, float hidden) {
    s.seen[i] = dropped(s, 0, i, hidden);
    for (int gate = 1; gate < s.drops; gate++) s.seen[gate * states_of(s) + i] = dropped(s, gate, i, hidden);
}

// The initial states; zeros where there are none.
KERNEL(sequence_begin)(Sequence s, const float* hidden, const float* carry) {
    EACH(i, states_of(s)) {
        float first = hidden ? hidden[i] : 0.0f;
        s.hidden[i] = first;
        show(s, i, first);
        if (s.carry) s.carry[i] = carry ? carry[i] : 0.0f;
    }
}

// The hidden state after a step, for the next one and for the output. A step that does not count changes none.
__device__ inline void leave(const Sequence& s, const Place& at, float after) {
    float hidden = at.counts ? after : before(s, s.hidden, at);
    s.hidden[(at.step + 1) * states_of(s) + at.i] = hidden;
    show(s, at.i, hidden);
    float* out = s.out + (long long)at.row * s.width + at.unit;
    bool last = at.step + 1 == s.steps;
    if (s.sequences) out[(long long)at.step * s.units] = s.zero_masked && !at.counts ? 0.0f : hidden;
    if (last && s.states >= 0) out[s.states] = hidden;
    if (last && s.states < 0 && !s.sequences) out[0] = hidden;
}

__device__ inline void leave_carry(const Sequence& s, const Place& at, float after) {
    float carry = at.counts ? after : before(s, s.carry, at);
    s.carry[(at.step + 1) * states_of(s) + at.i] = carry;
    if (at.step + 1 == s.steps && s.states >= 0)
        s.out[(long long)at.row * s.width + s.states + s.units + at.unit] = carry;
}

// Both products of a gate and its bias, squashed and kept.
__device__ inline float gate_value(const Sequence& s, const Place& at, int gate, int function) {
    float* kept = s.gates_of + gate_of(s, at, gate);
    *kept = squashed(function, *kept + s.through[gate_now(s, at, gate)] + bias_of(s, 0, at, gate));
    return *kept;
}

KERNEL(simple_step)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        leave(s, at, gate_value(s, at, 0, s.activation));
    }
}

// Gates i, f, g, o: c' = f * c + i * g, h = o * activation(c').
KERNEL(lstm_step)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float input = gate_value(s, at, 0, s.recurrent), forget = gate_value(s, at, 1, s.recurrent);
        float candidate = gate_value(s, at, 2, s.activation), output = gate_value(s, at, 3, s.recurrent);
        float carry = forget * before(s, s.carry, at) + input * candidate;
        float shown = squashed(s.activation, carry);
        s.extra[step * states_of(s) + i] = shown;
        leave_carry(s, at, carry);
        leave(s, at, output * shown);
    }
}

__device__ inline float mixed(const Sequence& s, const Place& at, float update, float candidate) {
    return update * before(s, s.hidden, at) + (1.0f - update) * candidate;
}

// Gates z, r, g: h' = z * h + (1 - z) * g, g = activation(x * W + b + r * (h * U + b')).
KERNEL(gru_step)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float gates[2];
        for (int gate = 0; gate < 2; gate++) {
            s.through[gate_now(s, at, gate)] += bias_of(s, 1, at, gate);
            gates[gate] = gate_value(s, at, gate, s.recurrent);
        }
        float inner = s.through[gate_now(s, at, 2)] + bias_of(s, 1, at, 2);
        s.extra[step * states_of(s) + i] = inner;
        float* kept = s.gates_of + gate_of(s, at, 2);
        *kept = squashed(s.activation, *kept + bias_of(s, 0, at, 2) + gates[1] * inner);
        leave(s, at, mixed(s, at, gates[0], *kept));
    }
}

// The GRU whose reset comes before the product: g = activation(x * W + b + (r * h) * U). First z and r …
KERNEL(gru_gates)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        gate_value(s, at, 0, s.recurrent);
        float reset = gate_value(s, at, 1, s.recurrent);
        s.inner[i] = reset * dropped(s, 2, i, before(s, s.hidden, at));
    }
}

// … then, with the product of what was reset, the candidate.
KERNEL(gru_candidate)(Sequence s, int step, const float* product) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float* kept = s.gates_of + gate_of(s, at, 2);
        *kept = squashed(s.activation, *kept + bias_of(s, 0, at, 2) + product[i]);
        leave(s, at, mixed(s, at, s.gates_of[gate_of(s, at, 0)], *kept));
    }
}

// The inputs as each gate sees them, time by time: [input_drops or 1, steps, batch, features].
KERNEL(sequence_inputs)(Sequence s, float* out, const float* x, long long n) {
    EACH(i, n) {
        int feature = (int)(i % s.features);
        long long rest = i / s.features;
        int row = (int)(rest % s.batch);
        rest /= s.batch;
        int step = (int)(rest % s.steps), gate = (int)(rest / s.steps);
        float value = x[((long long)row * s.steps + time_of(s, step)) * s.features + feature];
        if (s.input_drops) value *= s.input_drop[((long long)gate * s.batch + row) * s.features + feature];
        out[i] = value;
    }
}

// The other way: the gradient of the inputs, of that of what the gates saw, [gates if split or 1, steps, batch, features].
KERNEL(sequence_inputs_back)(Sequence s, float* out, const float* seen, long long n) {
    EACH(i, n) {
        int feature = (int)(i % s.features);
        long long rest = i / s.features;
        int step = time_of(s, (int)(rest % s.steps)), row = (int)(rest / s.steps);
        float sum = 0.0f;
        for (int gate = 0; gate < (s.split ? s.gates : 1); gate++) {
            float value = seen[(((long long)gate * s.steps + step) * s.batch + row) * s.features + feature];
            if (s.input_drops) {
                int drop = s.input_drops > 1 ? gate : 0;
                value *= s.input_drop[((long long)drop * s.batch + row) * s.features + feature];
            }
            sum += value;
        }
        out[i] = sum;
    }
}

// The hidden states before all steps as each gate sees them, [gates or 1, steps, batch, units]; after its reset where a
// GRU's candidate sees them so.
KERNEL(sequence_seen)(Sequence s, float* out, long long n, int resets) {
    EACH(i, n) {
        long long j = i % (s.steps * states_of(s));
        int gate = (int)(i / (s.steps * states_of(s)));
        Place at = place_of(s, j % states_of(s), (int)(j / states_of(s)));
        float value = dropped(s, gate, at.i, s.hidden[j]);
        out[i] = resets && gate == 2 ? value * s.gates_of[gate_of(s, at, 1)] : value;
    }
}

// The gradient of a hidden state that comes from the step after it.
__device__ inline float returned(const Sequence& s, long long i) {
    float sum = s.rest[i];
    for (int part = 0; part < s.parts; part++) sum += dropped(s, part, i, s.back[part * states_of(s) + i]);
    return sum;
}

KERNEL(sequence_initial)(Sequence s, float* out) {
    EACH(i, states_of(s)) out[i] = returned(s, i);
}

// The gradient of the hidden state after a step: from the next one, from the output, from the final states.
__device__ inline float arriving(const Sequence& s, const Place& at) {
    const float* gradient = s.gradient + (long long)at.row * s.width + at.unit;
    bool last = at.step + 1 == s.steps;
    float sum = last ? 0.0f : returned(s, at.i);
    if (last && s.states >= 0) sum += gradient[s.states];
    if (last && s.states < 0 && !s.sequences) sum += gradient[0];
    if (s.sequences && (at.counts || !s.zero_masked)) sum += gradient[(long long)at.step * s.units];
    return sum;
}

__device__ inline float arriving_carry(const Sequence& s, const Place& at) {
    if (at.step + 1 < s.steps) return s.carry_rest[at.i];
    return s.states >= 0 ? s.gradient[(long long)at.row * s.width + s.states + s.units + at.unit] : 0.0f;
}

// The gradient of a gate before its function; both products have it.
__device__ inline void give(const Sequence& s, const Place& at, int gate, float value) {
    s.by_input[gate_of(s, at, gate)] = value;
    s.now[gate_now(s, at, gate)] = value;
}

KERNEL(simple_back)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float hidden = arriving(s, at);
        float slope = squashed_slope(s.activation, s.gates_of[gate_of(s, at, 0)]);
        give(s, at, 0, at.counts ? hidden * slope : 0.0f);
        s.rest[i] = at.counts ? 0.0f : hidden;
    }
}

KERNEL(lstm_back)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float hidden = arriving(s, at), carry = arriving_carry(s, at);
        float gates[4], shown = s.extra[step * states_of(s) + i];
        for (int gate = 0; gate < 4; gate++) gates[gate] = s.gates_of[gate_of(s, at, gate)];
        float input = gates[0], forget = gates[1], candidate = gates[2], output = gates[3];
        float whole = carry + hidden * output * squashed_slope(s.activation, shown);
        bool counts = at.counts;
        give(s, at, 0, counts ? whole * candidate * squashed_slope(s.recurrent, input) : 0.0f);
        give(s, at, 1, counts ? whole * before(s, s.carry, at) * squashed_slope(s.recurrent, forget) : 0.0f);
        give(s, at, 2, counts ? whole * input * squashed_slope(s.activation, candidate) : 0.0f);
        give(s, at, 3, counts ? hidden * shown * squashed_slope(s.recurrent, output) : 0.0f);
        s.rest[i] = counts ? 0.0f : hidden;
        s.carry_rest[i] = counts ? whole * forget : carry;
    }
}

// What both kinds of GRU have in common: the gradients of z and g before their functions, and of h directly.
__device__ inline void gru_shares(const Sequence& s, const Place& at, float* update, float* candidate) {
    float hidden = arriving(s, at);
    float z = s.gates_of[gate_of(s, at, 0)], g = s.gates_of[gate_of(s, at, 2)];
    *update = at.counts ? hidden * (before(s, s.hidden, at) - g) * squashed_slope(s.recurrent, z) : 0.0f;
    *candidate = at.counts ? hidden * (1.0f - z) * squashed_slope(s.activation, g) : 0.0f;
    s.rest[at.i] = at.counts ? hidden * z : hidden;
}

KERNEL(gru_back)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float shares[3], reset = s.gates_of[gate_of(s, at, 1)];
        gru_shares(s, at, &shares[0], &shares[2]);
        shares[1] = shares[2] * s.extra[step * states_of(s) + i] * squashed_slope(s.recurrent, reset);
        for (int gate = 0; gate < 3; gate++) {
            float recurrent = gate < 2 ? shares[gate] : shares[gate] * reset;
            s.by_input[gate_of(s, at, gate)] = shares[gate];
            s.by_recurrent[gate_of(s, at, gate)] = recurrent;
            s.now[gate_now(s, at, gate)] = recurrent;
        }
    }
}

KERNEL(gru_candidate_back)(Sequence s, int step) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float update, candidate;
        gru_shares(s, at, &update, &candidate);
        give(s, at, 0, update);
        s.by_input[gate_of(s, at, 2)] = candidate;
        s.inner[i] = candidate;
    }
}

// With the gradient of r * h, of which come that of r and a part of that of h.
KERNEL(gru_gates_back)(Sequence s, int step, const float* product) {
    EACH(i, states_of(s)) {
        Place at = place_of(s, i, step);
        float reset = s.gates_of[gate_of(s, at, 1)];
        float seen = dropped(s, 2, i, before(s, s.hidden, at));
        give(s, at, 1, product[i] * seen * squashed_slope(s.recurrent, reset));
        s.rest[i] += dropped(s, 2, i, product[i] * reset);
    }
}
