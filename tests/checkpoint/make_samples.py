#!/usr/bin/python3
"""Writes samples/: files of torch.save in every container and wrapping, and beside each NAME.pth what it holds as
NAME.txt (one line "name dtype shape values" per tensor, then one line "name = JSON" per scalar), told by torch itself.
Run: python3 make_samples.py. Needs Debian's python3-torch 1.13.1 and numpy."""
import collections
import json
import os

import numpy as np
import torch
from torch import nn

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'samples')
DTYPES = {torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16', torch.bfloat16: 'BF16', torch.int64: 'I64',
          torch.int32: 'I32', torch.int16: 'I16', torch.int8: 'I8', torch.uint8: 'U8', torch.bool: 'BOOL'}
# The legacy container carries each module class's source text; a short one does as well.
torch.serialization.get_source_lines_and_file = lambda obj: (['class Net: ...\n'], 1, 'net.py')


def ramp(*shape, start=0.0):
    return torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(shape) / 4 + start


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.bn = nn.BatchNorm1d(2)
        self.register_buffer('kept', torch.tensor([5, 6]))
        self.register_buffer('hidden', torch.tensor([7.0]), persistent=False)
        self.register_buffer('nothing', None)
        with torch.no_grad():
            self.fc.weight.copy_(ramp(2, 3))
            self.fc.bias.copy_(ramp(2, start=-1))

    def forward(self, x):
        return self.bn(self.fc(x)).square()


def trained():
    """A state_dict with its optimiser's: momentum of a first step."""
    torch.manual_seed(1)
    net = Net()
    optimiser = torch.optim.Adam(net.parameters())
    net(ramp(4, 3)).sum().backward()
    optimiser.step()
    return net.state_dict(), optimiser.state_dict()


def dtypes():
    values = torch.tensor([-3.0, 0.0, 1.0, 2.5])
    named = {name: values.to(dtype) for dtype, name in DTYPES.items() if name != 'U8'}
    named['U8'] = torch.tensor([0, 1, 254], dtype=torch.uint8)
    named['zero_d'] = torch.tensor(1.5)
    named['empty'] = torch.empty(3, 0, 2)
    return named


def views():
    base = ramp(3, 4)
    return {'whole': base, 'transposed': base.t(), 'step': base[:, ::2], 'row': base[1], 'expanded': ramp(2)[:, None].expand(2, 3)}


def samples():
    """name, object, state (name -> tensor), scalars."""
    plain = collections.OrderedDict([('conv.weight', ramp(2, 3)), ('conv.bias', ramp(3, start=1))])
    weights, adam = trained()
    yield 'dtypes', dtypes(), dtypes(), {}
    yield 'ordered', plain, plain, {}
    yield 'views', views(), views(), {}
    yield 'model', {'model': weights, 'optimizer': adam, 'k': [1.5, 2.0, 3.0], 'b': [-0.5, 0.0, 1.0], 'epoch': 3}, \
        weights, {'k': [1.5, 2.0, 3.0], 'b': [-0.5, 0.0, 1.0], 'epoch': 3}
    yield 'params', {'params': plain}, plain, {}
    yield 'ema', {'params': {'w': ramp(1)}, 'params_ema': plain}, plain, {}
    yield 'nested', {'state_dict': {'net': plain}, 'arch': 'x'}, plain, {'arch': 'x'}
    yield 'prefix', collections.OrderedDict(('module.' + k, v) for k, v in plain.items()), plain, {}
    yield 'prefixes', {'model_state_dict': {'module.model.' + k: v for k, v in plain.items()}}, plain, {}
    yield 'one_dict', {'w': ramp(2)}, {'w': ramp(2)}, {}
    yield 'one_list', [ramp(2)], {'0': ramp(2)}, {}
    yield 'tensor', ramp(2), {'tensor': ramp(2)}, {}
    yield 'longs', {'w': ramp(2), 'id': 2**40, 'neg': -2**33, 'top': 2**63 - 1, 'big': 2**100}, {'w': ramp(2)}, \
        {'id': 2**40, 'neg': -2**33, 'top': 2**63 - 1}
    yield 'parameter', {'w': nn.Parameter(ramp(2, 2)), 'size': torch.Size([1, 2]), 'device': torch.device('cpu')}, \
        {'w': ramp(2, 2)}, {}
    yield 'numpy', {'model': plain, 'k': [np.float64(2.25), np.float32(0.5)], 'b': np.int64(-7)}, plain, \
        {'k': [2.25, 0.5], 'b': -7}
    net = nn.DataParallel(Net())
    net.module.fc.register_forward_hook(print)
    yield 'module', net, {k[len('module.'):]: v for k, v in net.state_dict().items()}, {}


def describe(state, scalars):
    lines = []
    for name, tensor in sorted(state.items()):
        values = ','.join('%g' % v for v in tensor.double().reshape(-1).tolist())
        lines.append('%s %s [%s] %s' % (name, DTYPES[tensor.dtype], ','.join(map(str, tensor.shape)), values))
    lines += ['%s = %s' % (name, json.dumps(value, separators=(',', ':'))) for name, value in sorted(scalars.items())]
    return ''.join(line.rstrip() + '\n' for line in lines)


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for name, content, state, scalars in samples():
        text = describe(state, scalars)
        containers = {'zip': {}, 'legacy': {'_use_new_zipfile_serialization': False}}
        if name in ('model', 'module'):
            containers['protocol4'] = {'pickle_protocol': 4}
        for container, options in containers.items():
            path = os.path.join(FOLDER, name + '_' + container)
            torch.save(content, path + '.pth', **options)
            with open(path + '.txt', 'w') as file:
                file.write(text)
    torch.jit.script(nn.Linear(1, 1)).save(os.path.join(FOLDER, 'torchscript.bad'))


main()
