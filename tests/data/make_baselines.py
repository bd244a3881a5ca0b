"""Records baselines.json: log-mel statistics by scipy's short-time Fourier transform, logistic regression by
scikit-learn. Needs numpy, scipy, scikit-learn.
"""
import json
from pathlib import Path

import numpy as np
from scipy.signal import stft
from sklearn.linear_model import LogisticRegression


def wave(n):
    """Integers that any program makes the same: three tones of triangles that swell, and a rattle."""
    i = np.arange(n, dtype=np.int64)
    triangle = lambda period: np.abs(i % period * 4 * 1000 // period - 2000) - 1000
    swell = 1 + i % 5000
    rattle = (i * i * 7 + i * 31) % 1009 - 504
    return (triangle(100) * 4 + triangle(37) * swell // 1000 + triangle(11) + rattle * ((i // 700) % 2)).astype(np.int16)


def mel_bank(rate, bands=64, frame=1024):
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    hz = 700 * (10 ** (np.linspace(mel(0), mel(rate / 2), bands + 2) / 2595) - 1)
    f = np.linspace(0, rate / 2, frame // 2 + 1)
    up = (f - hz[:-2, None]) / np.diff(hz)[:-1, None]
    down = (hz[2:, None] - f) / np.diff(hz)[1:, None]
    return np.maximum(0, np.minimum(up, down))


def log_mel(x, rate):
    power = np.abs(stft(x / 32768.0, fs=rate, nperseg=1024, noverlap=512)[2]) ** 2
    return np.log(mel_bank(rate) @ power + 1e-8)


def mels():
    for rate, n in ((22050, 8192), (22050, 9001), (16000, 3000), (22050, 1500)):
        m = log_mel(wave(n), rate)
        yield {'rate': rate, 'samples': n, 'frames': m.shape[1], 'second_frame': m[:, 1].round(6).tolist(),
               'last_frame': m[:, -1].round(6).tolist(), 'mean': m.mean(1).round(6).tolist(), 'deviation': m.std(1).round(6).tolist(),
               'step_deviation': np.diff(m).std(1).round(6).tolist()}


def models():
    random = np.random.default_rng(0)
    n, d = 40, 4
    x = random.normal(size=(n, d)).round(3)
    hard = (x @ [1.5, -1, 0.5, 0] + random.normal(size=n) > 0.8).astype(float)
    soft = np.clip(hard * 0.6 + random.uniform(size=n) * 0.4, 0, 1).round(3)
    even, uneven = np.ones(n), random.choice([0.0, 0.5, 1.0, 2.0], size=n)
    cases = []
    for c in (0.01, 1.0, 100.0):
        cases += [(c, False, hard, even), (c, True, hard, even), (c, False, soft, even), (c, False, hard, uneven), (c, False, soft, uneven)]
    for c, balanced, y, w in cases:
        # A soft label is a song that is there twice, once with either label, and shares its weight.
        model = LogisticRegression(C=c, tol=1e-12, max_iter=10000, solver='newton-cholesky', class_weight='balanced' if balanced else None)
        if set(y) == {0.0, 1.0}:
            model.fit(x, y, sample_weight=w)
        else:
            model.fit(np.vstack([x, x]), np.r_[np.ones(n), np.zeros(n)], sample_weight=np.r_[w * y, w * (1 - y)])
        yield {'c': c, 'balanced': balanced, 'inputs': x.ravel().tolist(), 'labels': y.tolist(), 'weights': w.tolist(),
               'coefficients': model.coef_[0].tolist(), 'intercept': model.intercept_[0]}


def main():
    out = Path(__file__).with_name('baselines.json')
    out.write_text(json.dumps({'mel': list(mels()), 'linear': list(models())}) + '\n')


if __name__ == '__main__':
    main()
